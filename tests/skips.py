"""Plugin: counts skipped tests by reason at the end of a run and fails the run on a reason that is not allowed.

A skip that nobody sees is a hole in the proof; allowed reasons stand in `tests/allowed_skips.txt`, one a line.
"""

from collections import Counter
from pathlib import Path

import pytest

ALLOWED = Path(__file__).with_name("allowed_skips.txt")


def allowed_reasons() -> set[str]:
    """Every line of the list that is not empty and not a comment."""
    lines = (line.strip() for line in ALLOWED.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line and not line.startswith("#")}


def skip_reasons(terminalreporter) -> Counter:
    """How often each reason was given in this run."""
    reasons = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[reason.removeprefix("Skipped: ")] += 1
    return reasons


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter, config) -> None:
    """The last lines: skips by reason."""
    reasons = skip_reasons(terminalreporter)
    unknown = [reason for reason in reasons if reason not in allowed_reasons()]
    terminalreporter.section("skips by reason")
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count:5} {'' if reason not in unknown else 'NOT ALLOWED: '}{reason}")
    terminalreporter.write_line(f"{sum(reasons.values()):5} skipped in all")
    config.stash[UNKNOWN] = unknown


UNKNOWN = pytest.StashKey[list]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session, exitstatus):
    """A reason that is not on the list makes the run fail, whatever the tests said."""
    result = yield
    if session.config.stash.get(UNKNOWN, []) and session.exitstatus == 0:
        session.exitstatus = 1
    return result
