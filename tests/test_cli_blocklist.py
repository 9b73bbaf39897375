"""poolsift blocklist: listings beside the verdicts of a finished output, asked of a server on loopback."""

import os
import signal
import subprocess
import sys

import orjson
import pyarrow.parquet as pq
import pytest

from poolsift.dns.servers import Server
from poolsift.engines.blocklists import check_blocklists
from poolsift.engines.local import classify_files
from poolsift.errors import DnsIncompleteError, InputError, LockedError, UsageError
from poolsift.writers.durable import Lock
from tests.dns.tiny_server import TinyServer
from tests.test_engine import ndjson

BASE = {"mail_from": "a@contoso.com", "direction": "outbound", "recipient": "b@y.example"}
NORMAL, CLEAN, HIGH_RISK, SIX = "40.107.1.2", "40.107.1.3", "52.100.1.1", "2a01:111:f403:a000::1"
OF_SIX = "1." + "0." * 15 + "0.0.0.a.3.0.4.f.1.1.1.0.1.0.a.2"
TEST_SIX = "2.0.0.0.0.0.f.7.f.f.f.f." + "0." * 20


def works(zone, *, ipv6=False):
    """The entries that every blocklist has."""
    entries = {f"2.0.0.127.{zone}": {"A": ["127.0.0.2"], "TXT": ["test"]}}
    return {**entries, **({TEST_SIX + zone: {"A": ["127.0.0.2"]}} if ipv6 else {})}


ZONES = {
    **works("bl.example"),
    "2.1.107.40.bl.example": {"A": ["127.0.0.4", "127.0.0.2"], "TXT": ['"see https://bl.example/40.107.1.2"']},
    **works("six.example", ipv6=True),
    f"{OF_SIX}.six.example": {"A": ["127.0.0.3"], "TXT": "nodata"},
    "1.1.100.52.six.example": {"A": ["127.255.255.254"]},
}


@pytest.fixture(scope="module")
def server():
    with TinyServer(ZONES) as running:
        yield running


@pytest.fixture
def out(tmp_path):
    """Seven records: two addresses of several, one address that is not routed, one that is none, one record without."""
    addresses = [NORMAL, NORMAL, CLEAN, HIGH_RISK, SIX, "10.0.0.1", "what?", None]
    source = ndjson(tmp_path / "in.ndjson", [{**BASE, "outbound_ip": address} for address in addresses])
    classify_files(source, tmp_path / "out", columns="all")
    return tmp_path / "out"


def check(out, zones, server, **options):
    return check_blocklists(str(out), zones, [Server.parse(server.address)], **{"rate": 0, "timeout": 2.0, **options})


def poolsift(*arguments, **options):
    command = [sys.executable, "-m", "poolsift", "blocklist", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=120, **options)


def rows(path):
    return pq.read_table(path).to_pylist()


def test_each_address_and_zone_has_a_row(out, server):
    """Sorted by address and zone, with codes, text, records and the observed pools."""
    result = check(out, ["six.example", "bl.example"], server)

    assert [
        (
            NORMAL,
            "bl.example",
            True,
            None,
            ["127.0.0.2", "127.0.0.4"],
            "see https://bl.example/40.107.1.2",
            2,
            ["normal"],
        ),
        (NORMAL, "six.example", False, "nxdomain", [], None, 2, ["normal"]),
        (CLEAN, "bl.example", False, "nxdomain", [], None, 1, ["normal"]),
        (CLEAN, "six.example", False, "nxdomain", [], None, 1, ["normal"]),
        (HIGH_RISK, "bl.example", False, "nxdomain", [], None, 1, ["high_risk"]),
        (HIGH_RISK, "six.example", None, "refused_by_zone", ["127.255.255.254"], None, 1, ["high_risk"]),
        (SIX, "bl.example", None, "no_ipv6", [], None, 1, ["relay"]),
        (SIX, "six.example", True, None, ["127.0.0.3"], None, 1, ["relay"]),
    ] == [tuple(row.values()) for row in rows(result.path)]
    assert result.path == out / "blocklists.parquet"


def test_the_summary_counts_addresses_by_zone_and_pool(out, server):
    """And every record: asked about, or left out for a reason."""
    summary = check(out, ["six.example"], server).summary

    assert (8, 4) == (summary["records"], summary["addresses"])
    assert {"not_recorded": 1, "unreadable": 1, "unroutable": 1} == summary["left_out"]
    assert [
        {
            "zone": "six.example",
            "problem": None,
            "ipv6_reason": None,
            "unknown": {"refused_by_zone": 1},
            "pools": {
                "high_risk": {"addresses": 1, "listed": 0, "not_listed": 0, "unknown": 1},
                "normal": {"addresses": 2, "listed": 0, "not_listed": 2, "unknown": 0},
                "relay": {"addresses": 1, "listed": 1, "not_listed": 0, "unknown": 0},
            },
        }
    ] == summary["zones"]


def test_verdicts_and_manifest_stay_as_they_are(out, server):
    """Only one file is new, and the same answers give the same bytes."""
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    first = check(out, ["bl.example"], server).path.read_bytes()
    second = check(out, ["bl.example"], server).path.read_bytes()

    assert {**before, "blocklists.parquet": first} == {path.name: path.read_bytes() for path in out.iterdir()}
    assert first == second
    assert 0o600 == (out / "blocklists.parquet").stat().st_mode & 0o777


@pytest.mark.parametrize("ending", ["parquet", "arrow", "ndjson"])
def test_one_file_has_its_listings_beside_it(tmp_path, server, ending):
    """Every output format that can be read again."""
    source = ndjson(tmp_path / "in.ndjson", [{**BASE, "outbound_ip": NORMAL}] * 3)
    classify_files(source, tmp_path / f"v.{ending}", columns="all")
    result = check(tmp_path / f"v.{ending}", ["bl.example"], server)

    assert tmp_path / f"v.{ending}.blocklists.parquet" == result.path
    assert [(True, 3)] == [(row["listed"], row["records"]) for row in rows(result.path)]


@pytest.mark.parametrize("name", ["out", "v.parquet"])
def test_listings_go_with_the_output_they_belong_to(tmp_path, server, name):
    """The next run there takes the place of verdicts and listings alike."""
    source = ndjson(tmp_path / "in.ndjson", [{**BASE, "outbound_ip": NORMAL}])
    classify_files(source, tmp_path / name, columns="all")
    path = check(tmp_path / name, ["bl.example"], server).path
    assert path.exists()
    classify_files(source, tmp_path / name, columns="all")

    assert not path.exists()


@pytest.mark.parametrize(
    ("zones", "options", "problem", "reason"),
    [
        ({"bl.example": {}}, {}, "127.0.0.2 is not listed", "zone_test_failed"),
        ({"2.1.107.40.bl.example": {"A": ["127.0.0.2"]}}, {}, "127.0.0.2 is not listed", "zone_test_failed"),
        (
            {f"{last}.0.0.127.bl.example": {"A": ["127.0.0.2"]} for last in (1, 2)},
            {},
            "127.0.0.1 is listed",
            "zone_test_failed",
        ),
        (
            {f"{last}.0.0.127.bl.example": {"A": ["127.255.255.254"]} for last in (1, 2)},
            {},
            "(refused_by_zone: 127.255.255.254)",
            "zone_test_failed",
        ),
        ({**works("bl.example"), "2.1.107.40.bl.example": {"A": ["127.255.255.255"]}}, {}, None, "refused_by_zone"),
        ({**works("bl.example"), "2.1.107.40.bl.example": {"A": ["203.0.113.9"]}}, {}, None, "not_a_blocklist_answer"),
        (
            {**works("bl.example"), "2.1.107.40.bl.example": {"TXT": ["there is text but no address"]}},
            {},
            None,
            "nodata",
        ),
        ({**works("bl.example"), "2.1.107.40.bl.example": "refused"}, {}, None, "refused"),
        (
            {"2.0.0.127.bl.example": "silent", "1.0.0.127.bl.example": "silent"},
            {"timeout": 0.1},
            "timeout",
            "zone_test_failed",
        ),
    ],
)
def test_what_does_not_work_leaves_the_address_unknown(tmp_path, zones, options, problem, reason):
    """Dead, refusing, parked and listing-everything zones say nothing of an address."""
    source = ndjson(tmp_path / "in.ndjson", [{**BASE, "outbound_ip": NORMAL}])
    classify_files(source, tmp_path / "out", columns="all")
    with TinyServer(zones) as server:
        result = check(tmp_path / "out", ["bl.example"], server, **options)
    (entry,) = result.summary["zones"]

    assert [(None, reason)] == [(row["listed"], row["reason"]) for row in rows(result.path)]
    assert (problem is None) is (entry["problem"] is None)
    assert problem is None or problem in entry["problem"]
    assert {reason: 1} == entry["unknown"]


def test_a_resolver_that_makes_addresses_up_lists_nobody(tmp_path, out):
    """Its invented address is no answer, and a warning names the resolver."""
    with TinyServer({}, everything=["203.0.113.80"]) as server:
        result = check(out, ["bl.example"], server)

    assert {None} == {row["listed"] for row in rows(result.path)}
    assert server.address in result.warnings[0]


def test_nobody_is_asked_what_is_known_to_be_useless(out):
    """No private address, nothing of a zone that does not work, no IPv6 where none is listed, no text of the clean."""
    with TinyServer(ZONES) as server:
        check(out, ["bl.example", "dead.example"], server)

    assert {"2.1.107.40.bl.example", "3.1.107.40.bl.example", "1.1.100.52.bl.example"} == {
        name for name in server.names() if "127" not in name and "f.7.f" not in name
    }
    assert ["2.1.107.40.bl.example"] == server.names("TXT")


def test_an_output_without_addresses_sends_no_packet(tmp_path):
    """The file is there all the same, and empty."""
    classify_files(ndjson(tmp_path / "in.ndjson", [BASE]), tmp_path / "out", columns="all")
    with TinyServer({}) as server:
        result = check(tmp_path / "out", ["bl.example"], server)

    assert [] == rows(result.path)
    assert [] == server.asked


def test_required_answers_that_are_missing_end_the_run(out, server):
    """Exit 7 by its class; nothing is written."""
    with pytest.raises(DnsIncompleteError) as caught:
        check(out, ["six.example"], server, require_dns=True)

    assert (1, 4) == (caught.value.unknown, caught.value.asked)
    assert not (out / "blocklists.parquet").exists()


@pytest.mark.parametrize("columns", ["key", "verdict"])
def test_an_output_without_the_column_says_how_to_get_it(tmp_path, server, columns):
    """The addresses are written with --columns all only."""
    classify_files(ndjson(tmp_path / "in.ndjson", [BASE]), tmp_path / "out", columns=columns)
    with pytest.raises(UsageError, match="--columns") as caught:
        check(tmp_path / "out", ["bl.example"], server)

    assert caught.value.exit_code == 2


def test_a_damaged_part_is_named(out, server):
    """A part that holds other than the manifest says is never half an answer."""
    (part,) = out.glob("part-*")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(InputError, match="part-00000.parquet"):
        check(out, ["bl.example"], server)


def test_a_part_of_another_length_is_named(tmp_path, server):
    """Lines that are gone are missed."""
    source = ndjson(tmp_path / "in.ndjson", [{**BASE, "outbound_ip": NORMAL}] * 3)
    classify_files(source, tmp_path / "v.ndjson", columns="all")
    lines = (tmp_path / "v.ndjson").read_bytes().splitlines(keepends=True)
    (tmp_path / "v.ndjson").write_bytes(b"".join(lines[:2]))
    with pytest.raises(InputError, match="2 records where the manifest says 3"):
        check(tmp_path / "v.ndjson", ["bl.example"], server)


def test_an_output_in_use_is_left_alone(out, server):
    """Another run holds its lock."""
    lock = Lock(out / ".lock")
    try:
        with pytest.raises(LockedError):
            check(out, ["bl.example"], server)
    finally:
        lock.release()


class TestCommand:
    def test_table_on_stdout_and_remarks_on_stderr(self, out, server):
        """What is asked for is data; reasons and the dead zone are words."""
        ended = poolsift(out, "--zone", "BL.example.,dead.example", "--resolver", server.address, "--rate", 0)
        table = [line.split() for line in ended.stdout.decode().splitlines()]

        assert ended.returncode == 0, ended.stderr
        assert ["zone", "pool", "addresses", "listed", "unknown"] == table[0]
        assert ["bl.example", "normal", "2", "1", "0"] in table
        assert ["dead.example", "normal", "2", "0", "2"] in table
        assert b"warning: zone dead.example does not work as a blocklist: its test address 127.0.0.2" in ended.stderr
        assert b"bl.example: unknown, no ipv6: 1 addresses" in ended.stderr
        assert b"not routed: 1 records" in ended.stderr

    def test_json_alone_on_stdout(self, out, server):
        """One object, nothing else anywhere."""
        ended = poolsift(out, "--zone", "bl.example", "--resolver", server.address, "--json", "-q")

        assert 4 == orjson.loads(ended.stdout)["addresses"]
        assert (0, b"") == (ended.returncode, ended.stderr)

    def test_unknown_answers_matter_where_they_are_required(self, out, server):
        """Exit 7."""
        ended = poolsift(out, "--zone", "six.example", "--resolver", server.address, "--require-dns")

        assert (7, b"") == (ended.returncode, ended.stdout)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [([], b"--zone"), (["--zone", "bl"], b"'bl'"), (["--zone", "bl.example", "--resolver", "x"], b"--resolver")],
    )
    def test_what_is_wrong_is_said_before_anything_is_asked(self, out, arguments, words):
        """No zone, a zone that is none, a resolver that is none: exit 2."""
        ended = poolsift(out, *arguments)

        assert ended.returncode == 2
        assert words in ended.stderr

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_leaves_nothing_behind(self, out, number, code):
        """No half file, no lock."""
        before = sorted(os.listdir(out))
        silent = {f"{last}.0.0.127.bl.example": "silent" for last in (1, 2)}
        with TinyServer(silent) as server:
            command = [sys.executable, "-m", "poolsift", "blocklist", out, "--zone", "bl.example"]
            command += ["--resolver", server.address, "--timeout", "20"]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
                while not server.names():
                    assert running.poll() is None, running.stderr.read()
                running.send_signal(number)
                _, words = running.communicate(timeout=60)

        assert (code, b"") == (running.returncode, words)
        assert before == sorted(os.listdir(out))
