"""The command line: data on stdout, words on stderr, one exit code for each ending."""

import os
import re
import signal
import subprocess
import sys
import time

import orjson
import pytest

from poolsift.cli import COMMANDS
from tests.test_engine import NORMAL, RELAY, ndjson

TENANT = '[[tenant]]\nname = "c"\naccepted_domains = ["contoso.com"]\n'


def poolsift(*arguments, **options):
    command = [sys.executable, "-m", "poolsift", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, **options)


@pytest.fixture
def tenant(tmp_path):
    (tmp_path / "tenant.toml").write_text(TENANT)
    return tmp_path / "tenant.toml"


@pytest.fixture
def source(tmp_path):
    return ndjson(tmp_path / "in.ndjson", [RELAY, NORMAL])


class TestClassify:
    def test_verdicts_on_stdout_summary_on_stderr(self, source, tenant):
        ended = poolsift("classify", source, "--tenant", tenant)
        rows = [orjson.loads(line) for line in ended.stdout.splitlines()]

        assert ended.returncode == 0
        assert [row["pool"] for row in rows] == ["relay", "normal"]
        assert ended.stderr.decode().startswith("DNS is off: every sender domain that can exist is assumed to resolve")
        assert b"rows in 2 = records 2 + folded 0 + rejected 0" in ended.stderr
        assert b"\x1b" not in ended.stderr

    def test_json_is_one_object_on_stdout(self, source, tmp_path):
        ended = poolsift("classify", source, "-o", tmp_path / "out", "--json", "-q")

        assert orjson.loads(ended.stdout)["records"] == 2
        assert ended.stderr == b""

    def test_standard_input(self, tenant):
        ended = poolsift("classify", "-", "--tenant", tenant, "-q", input=orjson.dumps(RELAY))

        assert orjson.loads(ended.stdout)["input"] == "-"

    @pytest.mark.parametrize("unbuffered", ["", "1"])
    def test_every_row_goes_through_a_pipe(self, tmp_path, unbuffered):
        source = ndjson(tmp_path / "in.ndjson", [RELAY] * 3000)
        ended = poolsift("classify", source, "-q", env={**os.environ, "PYTHONUNBUFFERED": unbuffered})

        assert len(ended.stdout.splitlines()) == 3000

    @pytest.mark.parametrize(("arguments", "words"), [
        (["--colums", "all"], "Did you mean '--columns'"),
        (["--rules", "2023-12"], "did you mean 2023-11"),
        (["--assume", "spf_pas=no"], "did you mean spf_pass"),
        (["--ignore", "spff"], "did you mean spf"),
        (["--json"], "expected -o DIR"),
        (["--raw-csv"], "expected --to csv"),
        (["--memory", "lots"], "512M"),
        (["--dns", "off", "--snapshot", "x"], "no effect"),
        (["--learn-accepted", "--tenant", "x"], "takes the place"),
        (["--to", "parket"], "parquet"),
        (["--tenant", "/nowhere.toml"], "/nowhere.toml"),
        (["/nowhere.csv"], "no such file"),
    ])  # fmt: skip
    def test_what_is_refused_says_what_was_expected(self, source, arguments, words):
        ended = poolsift("classify", source, *arguments)

        assert ended.returncode == 2
        assert words in ended.stderr.decode()
        assert ended.stdout == b""

    def test_exit_codes_of_rejects(self, tmp_path):
        source = ndjson(tmp_path / "in.ndjson", [RELAY], b"[]\n")

        def run(*more):
            return poolsift("classify", source, "-o", tmp_path / "o", "-q", *more).returncode

        assert (run(), run("--allow-rejects"), run("--max-rejects", 0)) == (3, 0, 4)

    def test_exit_code_of_a_damaged_input(self, tmp_path):
        (tmp_path / "x.csv.gz").write_bytes(b"\x1f\x8b\x08\x00")
        ended = poolsift("classify", tmp_path / "x.csv.gz", "-o", tmp_path / "o")

        assert ended.returncode == 5
        assert b"x.csv.gz" in ended.stderr

    def test_exit_code_of_an_output_that_cannot_be_written(self, source):
        ended = poolsift("classify", source, "-o", "/proc/nowhere/out")

        assert ended.returncode == 6
        assert b"/proc/nowhere/out" in ended.stderr

    def test_no_address_reaches_stderr(self, tmp_path):
        rows = [{**RELAY, "client_ip": "secret@leak.example"}, {"mail_from": ["secret@leak.example"]}]
        source = ndjson(tmp_path / "in.ndjson", rows, b'{"mail_from": "secret@leak.example"\n')
        ended = poolsift("classify", source, "-o", tmp_path / "o")

        assert b"rejected" in ended.stderr
        assert not re.search(rb"\S+@\S+", ended.stderr)

    def test_a_closed_pipe_is_silent(self, tmp_path):
        source = ndjson(tmp_path / "in.ndjson", [RELAY] * 30_000)
        command = f"{sys.executable} -m poolsift classify {source} -q | head -1"
        ended = subprocess.run(
            ["bash", "-c", command + "; exit ${PIPESTATUS[0]}"], capture_output=True, check=False, timeout=120
        )

        assert ended.returncode == 141
        assert len(ended.stdout.splitlines()) == 1
        assert ended.stderr == b""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_the_run_within_a_second_and_leave_nothing(tmp_path, number, code):
    """The input is a pipe that stays open, so the run is in the middle of its work."""
    command = [sys.executable, "-m", "poolsift", "classify", "-", "-o", str(tmp_path / "out"), "-q"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.stdin.write(orjson.dumps(RELAY) + b"\n")
    running.stdin.flush()
    deadline = time.monotonic() + 60
    while not (tmp_path / "out").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    began = time.monotonic()
    running.send_signal(number)
    _, words = running.communicate(timeout=30)

    assert running.returncode == code
    assert words == b""
    assert time.monotonic() - began < 5  # a second on a machine that is not shared
    assert not (tmp_path / "out").exists()


class TestExplain:
    def test_a_record_of_an_output(self, source, tenant, tmp_path):
        poolsift("classify", source, "--tenant", tenant, "-o", tmp_path / "out", "-q")
        ended = poolsift("explain", tmp_path / "out", "--row", 1)

        assert ended.returncode == 0
        assert b"pool: relay" in ended.stdout
        assert b"spf = fail" in ended.stdout

    def test_it_says_when_the_input_is_gone(self, source, tenant, tmp_path):
        poolsift("classify", source, "--tenant", tenant, "-o", tmp_path / "out.ndjson", "-q")
        os.unlink(source)
        ended = poolsift("explain", tmp_path / "out.ndjson", "--row", 2)

        assert f"{source} is gone".encode() in ended.stdout
        assert b"pool: normal" in ended.stdout

    def test_a_message_by_either_id(self, tmp_path):
        record = {**RELAY, "message_id": "<1@x.example>", "network_message_id": "AB-CD"}
        source = ndjson(tmp_path / "in.ndjson", [NORMAL, record])
        poolsift("classify", source, "-o", tmp_path / "out", "-q")
        for name in ("<1@x.example>", "abcd"):
            assert b"row 2" in poolsift("explain", tmp_path / "out", "--message-id", name).stdout
        assert poolsift("explain", tmp_path / "out", "--message-id", "other").returncode == 2

    def test_one_record_on_stdin(self, tenant):
        ended = poolsift(
            "explain", "-", "--tenant", tenant, input=orjson.dumps({**RELAY, "time": "2024-05-02T08:00:00Z"})
        )

        assert b"pool: relay" in ended.stdout

    @pytest.mark.parametrize("arguments", [["--row", "0"], ["--row", "99"], [], ["--row", "1", "--tenant", "x"]])
    def test_what_is_refused(self, source, tmp_path, arguments):
        poolsift("classify", source, "-o", tmp_path / "out", "-q")

        assert poolsift("explain", tmp_path / "out", *arguments).returncode == 2

    def test_a_directory_without_manifest_is_no_run(self, tmp_path):
        assert b"manifest.json" in poolsift("explain", tmp_path, "--row", "1").stderr


class TestTenant:
    def test_init_writes_a_file_that_check_takes(self, tmp_path):
        poolsift("tenant", "init", tmp_path / "t.toml")
        ended = poolsift("tenant", "check", tmp_path / "t.toml")

        assert ended.returncode == 0
        assert b"accepted  contoso.com" in ended.stdout

    def test_init_never_overwrites(self, tenant):
        assert poolsift("tenant", "init", tenant).returncode == 2
        assert tenant.read_text() == TENANT

    def test_check_names_what_is_wrong(self, tenant):
        tenant.write_text(TENANT.replace("accepted_domains", "acepted_domains"))
        ended = poolsift("tenant", "check", tenant)

        assert ended.returncode == 2
        assert b"accepted_domains" in ended.stderr


def test_every_command_has_help():
    for name in COMMANDS:
        assert poolsift(name, "--help").returncode == 0


def test_an_unknown_command_names_the_nearest():
    ended = poolsift("clasify")

    assert ended.returncode == 2
    assert b"Did you mean 'classify'" in ended.stderr


def test_the_version_names_c_ares():
    assert re.fullmatch(rb"poolsift \S+ \(c-ares 1\.\d+\.\d+\)\n", poolsift("--version").stdout)


def test_rules_lists_and_shows():
    assert b"default" in poolsift("rules").stdout
    assert b"relay_unauthenticated" in poolsift("rules", "show", "2023-11").stdout
    assert b"2026-06-25" in poolsift("rules", "show", "by-date").stdout
    assert poolsift("rules", "show", "2023").returncode == 2


def test_formats_as_json_and_as_text():
    formats = orjson.loads(poolsift("formats", "--json").stdout)["formats"]

    assert {"emailevents", "extended", "headers"} <= {one["name"] for one in formats}
    assert all(one["where"] and one["limits"] for one in formats)
    assert b"emailevents" in poolsift("formats").stdout


def test_doctor_says_what_is_there():
    ended = poolsift("doctor")

    assert {b"c-ares", b"pyarrow", b"native"} <= set(ended.stdout.split())
    assert ended.returncode in {0, 1}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    assert b"_POOLSIFT_COMPLETE" in poolsift("completion", shell).stdout


def test_demo_runs_to_its_end(tmp_path):
    ended = poolsift("demo", tmp_path, "--messages", 200)

    assert ended.returncode == 0
    assert (tmp_path / "verdicts" / "manifest.json").exists()
