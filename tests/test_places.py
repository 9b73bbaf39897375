"""No run destroys what it reads, and no error tells addresses or names an option that does not exist."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from poolsift.classifier import Classifier
from poolsift.cli.classify import command
from poolsift.dns.snapshot import Snapshot
from poolsift.engines.local import classify_files
from poolsift.engines.lookup import FinishedRun
from poolsift.errors import InputError, LimitError, RulesError, SnapshotError, TenantFileError, UsageError
from poolsift.readers.csv_rows import column_words
from poolsift.readers.detect import detect
from poolsift.tenant import Tenant

ROW = b'{"mail_from":"a@contoso.com","recipient":"b@partner.example"}\n'
HEAD = '[[tenant]]\naccepted_domains = ["contoso.com"]\n'


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.ndjson"
    path.write_bytes(ROW)
    return path


def refused(source, out, **options):
    """The refusal, after which the input is what it was."""
    before = source.read_bytes()
    with pytest.raises(UsageError) as caught:
        classify_files(source, out, **options)
    assert source.read_bytes() == before
    return caught.value


def test_the_output_is_not_an_input(source, tmp_path):
    linked = tmp_path / "link.ndjson"
    linked.symlink_to(source)

    for out in (source, os.path.relpath(source), linked):
        assert refused(source, out).key == "-o"


def test_a_url_of_the_output_is_an_input(source):
    """The same file, named in another way."""
    before = source.read_bytes()
    with pytest.raises(UsageError):
        classify_files(f"file://{source}", source)

    assert source.read_bytes() == before


@pytest.mark.parametrize("name", ["", "a\nb", "ou\udcfft", "ou\udcfft.csv"])
def test_names_that_no_manifest_can_hold(source, name):
    assert refused(source, name).key == "-o"


def test_the_manifest_beside_the_output_is_not_an_input(source, tmp_path):
    manifest = tmp_path / "out.ndjson.manifest.json"
    source.rename(manifest)

    assert refused(manifest, tmp_path / "out.ndjson").key == "-o"


def test_the_output_directory_is_not_that_of_the_inputs(tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    first, other = archive / "part-00000.ndjson", archive / "part-00007.ndjson"
    first.write_bytes(ROW)
    other.write_bytes(ROW)

    assert refused(first, archive).message == "the output directory holds what is read"
    assert refused(first, f"{archive}/", to="ndjson").key == "-o"
    assert sorted(entry.name for entry in archive.iterdir()) == [first.name, other.name]


def test_the_rejects_are_not_an_input(source, tmp_path):
    """Without rejects the file of that name would be removed."""
    assert refused(source, tmp_path / "out", rejects=source).key == "--rejects"
    assert not (tmp_path / "out").exists()


def test_the_tenant_file_stays(source, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(HEAD)

    assert refused(source, path, tenant=Tenant.load(str(path))).key == "-o"
    assert path.read_text() == HEAD


@pytest.mark.parametrize("place", ["-", "", "pipe", "directory"])
def test_rejects_go_to_a_regular_file(source, tmp_path, place):
    """A device such as /dev/null would be replaced by a file, or removed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    rejects = place if place in {"-", ""} else tmp_path / place

    assert refused(source, tmp_path / "out", rejects=rejects).message == "not a regular file"


def test_rejects_and_verdicts_do_not_share_a_file(source, tmp_path):
    source.write_bytes(ROW + b"null\n")

    assert refused(source, tmp_path / "out.csv", rejects=tmp_path / "out.csv").key == "--rejects"
    assert not (tmp_path / "out.csv").exists()


def test_the_same_output_again(source, tmp_path):
    """A run may replace what an earlier one wrote."""
    source.write_bytes(ROW + b"null\n")
    for _ in range(2):
        result = classify_files(source, tmp_path / "out.csv", rejects=tmp_path / "bad.ndjson")
        assert result.exit_code == 3
    assert Path(tmp_path / "bad.ndjson").stat().st_size


@pytest.mark.parametrize(
    "head",
    [
        b"ann@contoso.com,bob@partner.example,pass\n",
        b"ann@contoso.com;bob@partner.example;pass\n",
        b"ann@contoso.com\tbob@partner.example\tpass\n",
        b"ann@contoso.com bob@partner.example\n",
        b"x\nann@contoso.com\n",
    ],
)
def test_an_unknown_format_tells_no_address(head):
    with pytest.raises(InputError) as caught:
        detect(head, "x.csv")

    assert "contoso" not in str(caught.value)
    assert "partner" not in str(caught.value)


def test_a_doubled_column_tells_no_address():
    assert column_words(["ann@contoso.com", "spf"]) == "(an address), 'spf'"


def test_the_options_that_errors_name_exist(tmp_path):
    names = {name for option in command.params for name in option.opts}
    bomb = tmp_path / "b.csv.gz"
    bomb.write_bytes(gzip.compress(b"mail_from\n" + b"a" * (1 << 20)))
    run = CliRunner().invoke(
        command, [str(bomb), "-o", str(tmp_path / "o"), "--max-plain-bytes", "64K", "-q"], catch_exceptions=True
    )

    assert isinstance(run.exception, LimitError)
    assert run.exception.option in names
    assert "--max-ratio" in names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[tenant]]\nlicenses = " + "9" * 5_000, "not valid TOML"),
        ("[[tenant]]\naccepted_domains = " + "[" * 3_000 + "]" * 3_000, "nested too deep"),
        (HEAD + '[pools]\nnames = { "" = "normal" }\n', "empty pool name"),
    ],
)
def test_odd_toml_is_refused_as_such(text, words):
    with pytest.raises(TenantFileError, match=words):
        Tenant.parse(text, "t.toml")


def piped(arguments, **streams):
    command_line = [sys.executable, "-m", "poolsift", *arguments]
    return subprocess.run(command_line, stderr=subprocess.PIPE, check=False, timeout=60, **streams)


@pytest.mark.parametrize("to", ["ndjson", "csv", "parquet", "arrow"])
def test_a_full_standard_output(source, to):
    """It is the output that failed (6), not the program (70)."""
    with open("/dev/full", "wb") as full:
        run = piped(["classify", str(source), "-q", "--to", to], stdout=full)

    assert (run.returncode, run.stderr.count(b"\n")) == (6, 1)
    assert b"No space left" in run.stderr


@pytest.mark.parametrize("arguments", [["rules"], ["formats", "--json"], ["doctor"]])
def test_a_full_standard_output_of_other_commands(arguments):
    with open("/dev/full", "wb") as full:
        run = piped(arguments, stdout=full)

    assert (run.returncode, run.stderr.count(b"\n")) == (6, 1)


@pytest.mark.parametrize(("closing", "code"), [(">&-", 6), ("2>&-", 0)])
def test_closed_streams(source, closing, code):
    line = f'"$0" -m poolsift classify "$1" {closing}'
    run = subprocess.run(["sh", "-c", line, sys.executable, str(source)], capture_output=True, check=False, timeout=60)

    assert run.returncode == code
    assert (b"is closed" in run.stderr) == (code == 6)


def test_a_snapshot_with_a_doubled_column(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("name,a,mx,a\ncontoso.com,present,absent,absent\n")
    with pytest.raises(SnapshotError, match="column named twice; found a"):
        Snapshot.open(str(path))


def test_a_profile_is_compared_once():
    with pytest.raises(RulesError, match="compared twice"):
        Classifier(compare=["2026-06", "2026-06"])
    assert Classifier(compare="2026-06").columns[-1] == "pool_2026_06"


@pytest.mark.parametrize("text", [b"{}", b"[]", b"null", b'{"options":{}}'])
def test_explaining_by_a_manifest_of_others(source, tmp_path, text):
    out = tmp_path / "out.ndjson"
    classify_files(source, out)
    (tmp_path / "out.ndjson.manifest.json").write_bytes(text)
    with pytest.raises(UsageError, match="not a manifest"):
        FinishedRun(str(out))


def test_explaining_an_output_that_was_damaged(source, tmp_path):
    out = tmp_path / "out.ndjson"
    classify_files(source, out)
    out.write_bytes(b"garbage\n")
    with pytest.raises(InputError) as caught:
        FinishedRun(str(out)).record(1)

    assert caught.value.code == "output_damaged"


def test_a_demo_where_no_directory_can_be(source):
    run = piped(["demo", str(source), "--messages", "5"])

    assert (run.returncode, b"Not a directory" in run.stderr) == (6, True)


def test_the_summary_tells_no_address(tmp_path):
    """An address where a pool name is due: columns of a log may be mixed up."""
    path = tmp_path / "in.ndjson"
    path.write_bytes(b'{"recipient":"b@partner.example","outbound_ip_pool_name":"ann@contoso.com"}\n')
    run = piped(["classify", str(path), "-o", str(tmp_path / "out")])

    assert b"contoso" not in run.stderr
    assert b"holds an address" in run.stderr


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_forced_format_tells_no_address(tmp_path, format_):
    path = tmp_path / "in"
    if format_ == "csv":
        path.write_bytes(b"ann@contoso.com,bob@partner.example\n1,2\n")
    else:
        pq.write_table(pa.table({"ann@contoso.com": [1]}), path)
    with pytest.raises(InputError) as caught:
        classify_files(path, tmp_path / "out", format=format_)

    assert "no record column among (an address)" in str(caught.value)
