"""LiveDns in the library: the verdicts of a snapshot that says the same, failures that decide nothing, clear words for misuse."""

import threading
import warnings
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift import LiveDns, Snapshot, UsageError, classify_files
from poolsift.dns.answers import Answer, AnswerStatus, Question
from poolsift.dns.cache import DnsCache
from tests.dns.counting_server import CountingServer, world
from tests.test_engine import ndjson

NAMES = list(world(60))
BASE = {"direction": "outbound", "recipient": "b@y.example", "status": "delivered", "spf": "pass", "dkim": "none"}


@pytest.fixture
def server():
    with CountingServer(world(60)) as running:
        yield running


@pytest.fixture
def inputs(tmp_path):
    """Three files whose senders overlap; some write their domains in odd ways or have none that could be asked."""
    files = []
    for part in range(3):
        senders = [f"a@{name}" for name in NAMES[part * 15 : part * 15 + 30]]
        senders += [f"a@{NAMES[part].upper()}.", "<>", "a@printer", "a@[192.0.2.9]", "a@x.local"]
        files.append(ndjson(tmp_path / f"in{part}.ndjson", [{**BASE, "mail_from": one} for one in senders]))
    return files


def live(server, **options):
    return LiveDns([server.address], **{"rate": 0, "attempts": 1, "timeout": 10.0, **options})


def truth(zones):
    """What the server says, as a snapshot."""

    def status(types, rdtype):
        return "present" if types and isinstance(types.get(rdtype), list) else "absent"

    rows = [
        {"name": name, "rdtype": rdtype, "status": status(types, rdtype), "rdata": (types or {}).get(rdtype)}
        for name, types in zones.items()
        for rdtype in ("A", "AAAA", "MX")
    ]
    return Snapshot.from_rows(rows)


def verdicts(out):
    return pa.concat_tables([pq.read_table(path) for path in sorted(out.glob("part-*.parquet"))])


@pytest.mark.parametrize("threads", [1, 3])
def test_verdicts_are_those_of_a_snapshot_with_the_same_truth(server, inputs, tmp_path, threads):
    """Row for row; each name is asked once, whichever files it is in."""
    classify_files(inputs, tmp_path / "snapshot", dns=truth(server.zones))
    with live(server) as dns:
        classify_files(inputs, tmp_path / "live", dns=dns, threads=threads)
    server.mark()
    firsts = [name for _, name, rdtype in server.log if rdtype == "MX"]
    answered = [name for name, types in server.zones.items() if types and "MX" in types]

    assert verdicts(tmp_path / "snapshot").equals(verdicts(tmp_path / "live"))
    assert {"high_risk", "normal"} <= set(verdicts(tmp_path / "live")["pool"].to_pylist())
    assert [1] * len(answered) == [firsts.count(name) for name in answered]
    assert set(NAMES) == set(firsts)


def test_summary_and_manifest_say_who_was_asked_and_what_came_of_it(server, inputs, tmp_path):
    """The cache, too, and the reasons of names that could not be found out."""
    server.zones[NAMES[1]] = "servfail"
    with live(server, cache=str(tmp_path / "cache.sqlite")) as dns:
        result = classify_files(inputs, tmp_path / "out", dns=dns)
        stats = dns.stats
    manifest = orjson.loads((tmp_path / "out" / "manifest.json").read_bytes())
    described = manifest["verdicts"]["dns_live"]

    assert f"live: {server.address} (cache {tmp_path / 'cache.sqlite'})" == result.summary["dns"]
    assert result.summary["dns"] == manifest["verdicts"]["dns"]
    assert ([server.address], {"servfail": 1}) == (described["resolvers"], described["unknown"])
    assert (len(NAMES), None) == (described["names"], manifest["verdicts"]["dns_sha256"])
    assert described["names"] == described["resolves"] + described["neither"] + 1
    assert len(NAMES) == stats.names == dns.stats.names


@pytest.mark.parametrize("fault", ["servfail", "refused", "silent"])
def test_a_name_that_could_not_be_asked_decides_nothing(server, inputs, tmp_path, fault):
    """No message goes to the high-risk pool for want of an answer, and the other names keep theirs."""
    dead = NAMES[::9]
    expected = truth(server.zones)
    server.zones.update(dict.fromkeys(dead, fault))
    with live(server, timeout=0.5) as dns:
        classify_files(inputs, tmp_path / "out", dns=dns, threads=2)
    classify_files(inputs, tmp_path / "snapshot", dns=expected)
    rows = [verdicts(tmp_path / name).to_pylist() for name in ("out", "snapshot")]
    failed = [row for row in rows[0] if row["sender_domain"] in dead]
    others = [[row for row in one if row["sender_domain"] not in dead] for one in rows]

    assert 7 < len(failed)
    assert {("undetermined", "resolve_dns")} == {(row["pool"], row["fix"]) for row in failed}
    assert others[0] == others[1]


def test_what_was_learned_is_there_for_the_next_run(server, inputs, tmp_path):
    """Nobody is asked a second time within the TTL, and the verdicts are the same."""
    cache = str(tmp_path / "cache.sqlite")
    with live(server, cache=cache) as dns:
        classify_files(inputs, tmp_path / "one", dns=dns)
    before = server.mark()
    with live(server, cache=cache) as dns:
        classify_files(inputs, tmp_path / "two", dns=dns)

    assert before == server.mark()
    assert verdicts(tmp_path / "one").equals(verdicts(tmp_path / "two"))


def test_old_answers_stand_in_for_failures_where_they_may(server, tmp_path):
    """And only there (RFC 8767)."""
    cache = str(tmp_path / "cache.sqlite")
    old = datetime.now(UTC) - timedelta(seconds=400)
    with DnsCache.open(cache, view=server.address) as held:
        held.put([(Question(NAMES[1], "MX"), Answer(AnswerStatus.PRESENT, ("10 a.example",), 300, None, old))])
    server.refuses = True
    found = []
    for max_stale in (0.0, 3_600.0):
        with live(server, cache=cache, max_stale=max_stale) as dns:
            found.append(dns.resolve([NAMES[1]]).result()[NAMES[1]]["MX"])

    assert [("unknown", "refused"), ("present", "stale")] == [(one.status, one.reason) for one in found]


def test_names_beyond_the_cap_are_unknown_to_this_run_alone(server, tmp_path):
    """The next one asks them: nobody has failed to answer."""
    flood = [f"x{number}.flood.example" for number in range(4)]
    server.zones.update({name: {"MX": ["10 a.example."]} for name in flood})
    cache = str(tmp_path / "cache.sqlite")
    with live(server, cache=cache, zone_cap=3) as dns:
        first = dns.resolve(flood).result()
    with live(server, cache=cache, zone_cap=3) as dns:
        second = dns.resolve(flood).result()

    assert [("unknown", "zone_cap")] == [
        (types["MX"].status, types["MX"].reason) for types in first.values() if types["MX"].status != "present"
    ]
    assert ["present"] * 4 == [types["MX"].status for types in second.values()]


def test_any_thread_may_ask(server):
    """Answers come to whoever asked."""
    found = {}
    with live(server) as dns:
        threads = [
            threading.Thread(target=lambda part=part: found.update(dns.resolve(NAMES[part::4]).result()))
            for part in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert set(NAMES) == found.keys()


def test_warnings_are_there_when_the_run_has_ended(server, tmp_path):
    """Of resolver and cache alike."""
    server.everything = ["203.0.113.9"]
    (tmp_path / "file").write_text("")
    with live(server, cache=str(tmp_path / "file" / "cache.sqlite")) as dns:
        pass

    assert ["gives addresses for names that do not exist" in line for line in dns.warnings] == [True, False]
    assert "answers are kept in memory for this run" in dns.warnings[1]


def test_it_can_be_entered_again(server):
    """Each time anew."""
    dns = live(server)
    for _ in range(2):
        with dns:
            assert ["present"] == [types["MX"].status for types in dns.resolve(NAMES[:1]).result().values()]


class TestMisuse:
    @pytest.mark.parametrize(
        ("arguments", "options", "key", "word"),
        [
            ([[]], {}, "resolvers", "nobody to ask"),
            (["127.0.0.1"], {}, "resolvers", "['127.0.0.1']"),
            ([["localhost"]], {}, None, "not the address of a resolver"),
            ([["127.0.0.1"]], {"rate": -1}, "rate", "0 or more"),
            ([["127.0.0.1"]], {"attempts": 0}, "attempts", "1 to 10"),
            ([["127.0.0.1"]], {"concurrency": 0}, "concurrency", "1 to 10000"),
            ([["127.0.0.1"]], {"timeout": "2"}, "timeout", "'2'"),
            ([["127.0.0.1"]], {"max_stale": -1}, "max_stale", "0 or more"),
        ],
    )
    def test_what_makes_no_sense_is_refused_at_once(self, arguments, options, key, word):
        with pytest.raises(UsageError) as caught:
            LiveDns(*arguments, **options)

        assert key == caught.value.key
        assert word in str(caught.value)

    def test_an_option_that_does_not_exist_is_named(self):
        with pytest.raises(TypeError, match="zonecap"):
            LiveDns(["127.0.0.1"], zonecap=3)

    def test_outside_its_context_it_says_so(self, server, inputs, tmp_path):
        """Before and after; nothing is published and nothing leaks."""
        dns = live(server)
        for _ in range(2):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with pytest.raises(UsageError, match="with LiveDns"):
                    classify_files(inputs, tmp_path / "out", dns=dns)
            with dns:
                pass

        assert [] == list(tmp_path.glob("out/*"))
        assert ([], 0) == (dns.warnings, dns.stats.names)

    def test_it_is_not_entered_twice_at_once(self, server):
        with live(server) as dns, pytest.raises(UsageError, match="entered twice"), dns:
            pass

    def test_it_is_open_still_after_that(self, server):
        with live(server) as dns:
            with pytest.raises(UsageError), dns:
                pass

            assert NAMES[:1] == list(dns.resolve(NAMES[:1]).result())
