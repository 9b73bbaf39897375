"""poolsift whatif: the table on stdout, remarks on stderr, and refusals that say what was expected."""

import subprocess
import sys

import orjson
import pyarrow.parquet as pq
import pytest

import poolsift
from poolsift.analysis.whatif import RESULT_SCHEMA
from poolsift.demo import write_archive
from poolsift.engines.local import classify_files
from poolsift.overlay import Overlay
from tests.test_engine import ndjson
from tests.test_whatif import RELAY, TENANT


def run(*arguments):
    command = [sys.executable, "-m", "poolsift", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, text=True)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Five messages that were relayed, two of them behind a gateway."""
    folder = tmp_path_factory.mktemp("whatif")
    (folder / "tenant.toml").write_text(TENANT, encoding="utf-8")
    rows = [
        {**RELAY, "mail_from": "s@\u202e.example"},
        RELAY,
        {**RELAY, "mail_from": "a@app.contoso.com", "recipient_count": 1_200},
    ]
    rows += [{**RELAY, "client_ip": "203.0.113.1"}] * 2
    source = ndjson(folder / "in.ndjson", rows)
    classify_files(source, folder / "out", tenant=poolsift.Tenant.load(str(folder / "tenant.toml")))
    return folder / "out"


def test_the_table(out):
    """Each change, all together, from pool to pool, by sender domain; what is missing, and nothing else."""
    ended = run("whatif", out, "--accept-domain", "app.contoso.com", "--enhanced-filtering", "front", "-q")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "5 records, rules 2023-11, assumed where not recorded: blocked=no, spam=no, domain_resolves=yes",
        "",
        "  change                         messages moved  recipients  to normal  possibly normal",
        "  accept-domain app.contoso.com               1       1,200          1                0",
        '  enhanced-filtering "front"                  2           2          0                2',
        "  all together                                3       1,202          1                2",
        "",
        "  from pool  to pool                        messages  recipients",
        "  relay      undetermined (perhaps normal)         2           2",
        "  relay      normal                                1       1,200",
        "",
        "  sender domain    from pool  to pool                        messages  recipients",
        "  x.example        relay      undetermined (perhaps normal)         2           2",
        "  app.contoso.com  relay      normal                                1       1,200",
        'enhanced-filtering "front": of 2 messages no source address was recorded behind the gateway: '
        "SPF becomes unknown there",
    ]


def test_json_replaces_the_table(out):
    """One object: every number of the table, and all domains."""
    ended = run("whatif", out, "--sign-dkim", "x.example", "--best", "1", "--json")
    found = orjson.loads(ended.stdout)

    assert found["records"] == 5
    assert found["together"] == found["alone"][0]
    assert found["together"]["changes"] == ["sign-dkim x.example"]
    assert found["together"]["domains"] == [
        {"sender_domain": "x.example", "from_pool": "relay", "to_pool": "normal", "possibly_normal": False,
         "messages": 3, "recipients": 3},
    ]  # fmt: skip
    assert found["best"] == [
        {"rank": 1, "change": "accept-domain x.example", "messages": 3, "recipients": 3,
         "from_pools": {"relay": {"messages": 3, "recipients": 3}}, "own_domain": False},
    ]  # fmt: skip


def test_the_best_changes(out):
    """Rank, the line of an overlay, what it moves and from where."""
    ended = run("whatif", out, "--best", "2", "-q")

    assert ended.stdout.splitlines()[1:] == [
        "",
        "single changes that move most messages to the normal pool",
        "     change                   messages  recipients  from pools  domain",
        "  1  accept-domain x.example         3           3  relay 3     another's",
        "  2  sign-dkim x.example             3           3  relay 3     another's",
    ]


def test_remarks_go_to_stderr(out):
    ended = run("whatif", out, "--publish-dns", "x.example")

    assert "no message would move" in ended.stdout
    assert ended.stderr == (
        "note: the run assumed that sender domains resolve (DNS off): publish-dns moves little or nothing\n"
    )


def test_changes_are_saved_as_an_overlay(out, tmp_path):
    """The file and the options together, in the form that classify --overlay takes; moves as Parquet."""
    (tmp_path / "first.txt").write_text("sign-dkim x.example  # a comment\n")
    options = ["--overlay", tmp_path / "first.txt", "--authorize", "203.0.113.0/24=x.example", "--rules", "2026-06"]
    ended = run("whatif", out, *options, "--save-overlay", tmp_path / "all.txt", "-o", tmp_path / "moves.parquet")
    saved = Overlay.load(str(tmp_path / "all.txt"))

    assert ended.returncode == 0, ended.stderr
    assert saved.text() == "sign-dkim x.example\nauthorize 203.0.113.0/24 = x.example\nrules 2026-06\n"
    assert pq.read_table(tmp_path / "moves.parquet").schema.equals(RESULT_SCHEMA)


@pytest.mark.parametrize(("arguments", "words"), [
    ([], "one of --accept-domain, --publish-dns, --authorize, --enhanced-filtering, --sign-dkim, --rules, --overlay"),
    (["--accept-domian", "x.example"], "Did you mean '--accept-domain'"),
    (["--accept-domain", "*.x.example"], "--accept-domain: wildcards are not written so"),
    (["--accept-domain", ""], "--accept-domain: "),
    (["--publish-dns", "x.example\nrules 2026-06"], "--publish-dns: not one change"),
    (["--publish-dns", "mfp.local"], "--publish-dns: cannot be in the public DNS"),
    (["--authorize", "203.0.113.1/24=x.example"], "expected 203.0.113.0/24"),
    (["--authorize", "203.0.113.1"], "--authorize: something is missing"),
    (["--enhanced-filtering", "frnt"], "did you mean front?"),
    (["--rules", "2026-6"], "--rules: no such rule profile; found '2026-6'"),
    (["--sign-dkim", "x.example", "--sign-dkim", "X.example"], "stands twice"),
    (["--best", "0"], "0"),
    (["--best", "1", "--save-overlay", "x"], "--save-overlay: no change to save"),
    (["--best", "1", "-o", "."], "-o: not a file name"),
    (["--overlay", "/nowhere.txt", "--best", "1"], "/nowhere.txt"),
    (["--best", "1", "--tenant", "/nowhere.toml"], "/nowhere.toml"),
])  # fmt: skip
def test_what_is_refused_says_what_was_expected(out, arguments, words):
    ended = run("whatif", out, *arguments)

    assert ended.returncode == 2
    assert words in ended.stderr
    assert ended.stdout == ""


def test_what_is_read_is_never_overwritten(out, tmp_path):
    """Neither the output and its parts, nor the files named."""
    overlay = tmp_path / "o.txt"
    overlay.write_text("sign-dkim x.example\n")
    for places in (
        ["-o", out / "moves.parquet"],
        ["--save-overlay", overlay],
        ["-o", tmp_path / "x", "--save-overlay", tmp_path / "x"],
    ):
        ended = run("whatif", out, "--overlay", overlay, *places)

        assert ended.returncode == 2
        assert "would overwrite what is read" in ended.stderr

    assert overlay.read_text() == "sign-dkim x.example\n"


def test_not_an_output(tmp_path):
    ended = run("whatif", tmp_path, "--best", "1")

    assert ended.returncode == 2
    assert "no finished run; found no manifest.json; expected the -o of poolsift classify" in ended.stderr


def test_classify_suggests_what_to_try(tmp_path):
    """The summary ends with commands that run as they stand."""
    archive = write_archive(tmp_path / "archive", messages=600, seed=2)
    known = ["--tenant", archive.tenant, "--snapshot", archive.snapshot]
    ended = run("classify", *archive.inputs, *known, "-o", tmp_path / "out")
    lines = ended.stderr.splitlines()
    hints = lines[lines.index("to see what a change would move:") + 1 :]
    accept = next(line for line in hints if "--accept-domain" in line)
    records = int(accept.rpartition("# ")[2].split()[0])
    option = accept.partition("--accept-domain ")[2].partition("  #")[0].strip()
    tried = run("whatif", tmp_path / "out", "--accept-domain", option.strip("'"), "--json")

    assert 1 <= len(hints) <= 3
    assert option == "'app.contoso.com tenant=contoso'"
    assert orjson.loads(tried.stdout)["together"]["to_normal"]["messages"] == records
