"""The ``poolsift`` command: finds the sub-command, turns every ending into its exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from poolsift import __version__
from poolsift.errors import OutputError, PoolsiftError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType, TracebackType

#: Sub-command → what it is for; its module has the same name and is imported when it is called.
COMMANDS: Final = {
    "classify": "Say which pool each message of some log files belongs to.",
    "resolve": "Ask the DNS about names once, and keep the answers as a snapshot.",
    "survey": "List the names an archive has to ask the DNS about.",
    "explain": "One verdict in words: evidence, rule, what was observed, what would change it.",
    "whatif": "Count what a change would move from pool to pool, or find the changes that help most.",
    "blocklist": "Ask blocklists about the outbound addresses of a finished output.",
    "tenant": "Write a tenant file to fill in, or check one.",
    "rules": "List the rule profiles, or show one.",
    "formats": "Which log formats are read, and where an administrator gets them.",
    "doctor": "What is installed and how old the tables are.",
    "demo": "Classify a generated archive, to see what comes out.",
    "completion": "The completion script of a shell.",
}

#: Exit codes beside those of the errors (docs: exit codes).
INTERNAL: Final = 70
MEMORY: Final = 9
INTERRUPTED: Final = 130
CLOSED_PIPE: Final = 141
TERMINATED: Final = 143

_NOT_WRITTEN: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_COMPLETE: Final = "_POOLSIFT_COMPLETE"


class TerminatedError(BaseException):
    """SIGTERM arrived; unwinds like an interrupt, so that temporary files are removed."""


class _Commands(click.Group):
    """Imports a command's module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"poolsift.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            close = nearest(args[0], COMMANDS)
            advice = f" Did you mean {close!r}?" if close else ""
            raise click.UsageError(f"No such command {args[0]!r}.{advice}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _print_version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        import pycares

        click.echo(f"poolsift {__version__} (c-ares {pycares.ARES_VERSION})")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Versions, then exit."
)
def cli() -> None:
    """Which Microsoft 365 delivery pool took each message, by which rule, on what evidence, and what would help."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit the process."""
    sys.excepthook = _internal_error
    signal.signal(signal.SIGTERM, _terminate)
    if sys.stderr is None:
        # Closed: the next file opened would become descriptor 2, and what libraries print would end in it.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - stays open to the end
    if _COMPLETE in os.environ:
        cli.main(prog_name="poolsift", complete_var=_COMPLETE)
    code = _run(list(sys.argv[1:] if arguments is None else arguments))
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = _closed_pipe()
    except OSError as error:
        code = _unwritten(error)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        with cli.make_context("poolsift", arguments) as context:
            code = cli.invoke(context)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as refused:
        refused.show()
        return refused.exit_code
    except PoolsiftError as error:
        print(f"poolsift: {_shown(error)}", file=sys.stderr)
        return error.exit_code
    except MemoryError:
        print("poolsift: out of memory; a smaller --memory or fewer --threads may help", file=sys.stderr)
        return MEMORY
    except BrokenPipeError:
        return _closed_pipe()
    except OSError as error:
        if error.errno not in _NOT_WRITTEN:
            raise
        return _unwritten(error)
    except (KeyboardInterrupt, click.Abort):
        return INTERRUPTED
    except TerminatedError:
        return TERMINATED


def _shown(error: PoolsiftError) -> str:
    from poolsift.analysis.escaping import shown

    return shown(str(error), limit=2_000)


def _closed_pipe() -> int:
    """The reader of standard output went away: say nothing, now and when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED_PIPE


def _unwritten(error: OSError) -> int:
    """Standard output took no more: files are named where they are written, so only it can be meant."""
    print(f"poolsift: -: cannot write: {error.strerror}", file=sys.stderr)
    _closed_pipe()
    return OutputError.exit_code


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise TerminatedError


def _internal_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A defect: where and of which kind, without the message, which may hold addresses from the logs."""
    if os.environ.get("POOLSIFT_TRACEBACK"):
        sys.__excepthook__(kind, error, trace)
    place: Any = trace
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at {place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place is not None else ""
    print(f"poolsift: internal error: {kind.__name__}{where}; POOLSIFT_TRACEBACK=1 shows all of it", file=sys.stderr)
    sys.stderr.flush()
    os._exit(INTERNAL)
