"""SPF over a snapshot: what it holds decides, what it lacks is never guessed, and every answer is counted once."""

import threading
from datetime import UTC, datetime

import orjson
import pytest

from poolsift import Classifier, Snapshot
from poolsift.errors import SnapshotError
from poolsift.records import SPF_WORDS
from poolsift.spf.results import SpfResults
from poolsift.spf.sources import SnapshotSpf, new_table
from tests.spf.zone import ask

ASKED_AT = datetime(2026, 3, 2, tzinfo=UTC)
ZONE = {
    "static.example": {"TXT": ["v=spf1 ip4:192.0.2.0/24 include:other.example a -all", "something else"], "A": ["203.0.113.9"]},
    "other.example": {"TXT": ["v=spf1 ip4:198.51.100.0/24 ~all"]},
    "each.example": {"TXT": ["v=spf1 exists:%{i}.ok.example ?all"]},
    "192.0.2.1.ok.example": {"A": ["127.0.0.2"]},
    "198.51.100.1.ok.example": {"A": []},
    "local.example": {"TXT": ["v=spf1 exists:%{l}.ok.example -all"]},
    "empty.example": {"TXT": []},
    "deeper.example": {"TXT": ["v=spf1 ip4:192.0.2.1 include:unlisted.example -all"]},
}  # fmt: skip
CLIENTS = ("192.0.2.1", "198.51.100.1", "203.0.113.9", "2001:db8::1")


def snapshot(zone=ZONE, **columns):
    """A snapshot that says what the zone says, as somebody's own statement unless ``columns`` tell more."""
    return Snapshot.from_rows(
        {"name": name, "rdtype": rdtype, "status": "present" if rdata else "absent", "rdata": rdata, **columns}
        for name, types in zone.items()
        for rdtype, rdata in types.items()
    )


def word(source, name, client_ip="192.0.2.1", helo="", local=""):
    """The word after the source was asked as a kernel asks; None where SPF could not be evaluated."""
    source.answer([("program", name, 6 if ":" in client_ip else 4)])
    if source.table.lookup(name, client_ip, helo, local) is None:
        source.answer([("outcome", name, client_ip, helo, local)])
    number = source.table.lookup(name, client_ip, helo, local)
    return SPF_WORDS[number - 1] if number else None


@pytest.fixture
def source():
    return SnapshotSpf(snapshot())


@pytest.mark.parametrize("name", ["static.example", "each.example", "empty.example"])
@pytest.mark.parametrize("client_ip", CLIENTS[:2])
def test_results_are_those_of_a_whole_evaluation(source, name, client_ip):
    expected = ask({held: types for held, types in ZONE.items()}, client_ip=client_ip, domain=name)

    assert word(source, name, client_ip) == expected.result


def test_a_domain_whose_texts_are_not_listed_is_not_evaluated(source):
    """Whatever else of it is; it is not the same as having no record."""
    assert word(source, "192.0.2.1.ok.example") is None
    assert word(source, "nowhere.example", "2001:db8::1") is None
    assert word(source, "empty.example") == "none"


def test_what_is_lacking_further_down_counts_for_those_who_come_to_it(source):
    assert word(source, "deeper.example", "192.0.2.1") == "pass"
    assert word(source, "deeper.example", "192.0.2.2") == "temperror"
    assert word(source, "each.example", "203.0.113.9") == "temperror"


def test_the_local_part_is_looked_at_where_a_record_asks_for_it():
    zone = {**ZONE, "alice.ok.example": {"A": ["127.0.0.2"]}, "bob.ok.example": {"A": []}}
    source = SnapshotSpf(snapshot(zone))

    assert word(source, "local.example", local="alice") == "pass"
    assert word(source, "local.example", local="bob") == "fail"


def test_names_that_nobody_may_ask_about_have_no_record(source):
    """As a resolver that is not asked about them would say."""
    assert word(source, "host.local") == "none"


def test_absences_that_a_resolver_said_once_are_unknown():
    """A resolver's word needs a second look, somebody's own statement does not."""
    zone = {"a.example": {"TXT": []}}
    said_once = SnapshotSpf(snapshot(zone, reason="nodata", asked_at=ASKED_AT, confirmed=False))
    seen_twice = SnapshotSpf(snapshot(zone, reason="nodata", asked_at=ASKED_AT, confirmed=True))
    stated = SnapshotSpf(snapshot(zone))

    assert [word(one, "a.example") for one in (said_once, seen_twice, stated)] == ["temperror", "none", "none"]


def test_counts_name_what_was_not_compiled(source):
    """Each domain once, however often and for whichever family it is asked about."""
    for _ in range(2):
        for name in ("static.example", "each.example", "local.example", "nowhere.example"):
            for client_ip in CLIENTS:
                word(source, name, client_ip)

    assert source.results.description() == {
        "domains": 4, "compiled": 1, "not_compiled": {"macro %{i}": 1, "macro %{l}": 1},
        "not_compiled_names": ["each.example", "local.example"], "not_listed": 1, "outcomes": 8,
    }  # fmt: skip


def test_threads_share_a_source(source):
    """Each answer is found once."""
    entries = [("program", name, family) for name in ZONE for family in (4, 6)]
    entries += [("outcome", "each.example", f"192.0.2.{n}", "", "") for n in range(1, 50)]
    threads = [threading.Thread(target=source.answer, args=(entries,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (source.results.outcomes, source.results.description()["domains"]) == (49, len(ZONE))


def test_what_the_table_forgets_is_answered_again(source):
    """With the same result, and not counted again."""
    before = word(source, "static.example"), source.results.description()
    source.table.clear()

    assert (word(source, "static.example"), source.results.description()) == before


def test_starts_are_written_in_network_order():
    class Compiled:
        starts = (0, 0xC0000201, 0xC0000202)
        words = bytes([2, 1, 2])

    results = SpfResults(new_table())
    results.add_program("a.example", 4, Compiled())

    assert [results.table.lookup("a.example", one) for one in ("192.0.2.0", "192.0.2.1", "192.0.2.2")] == [2, 1, 2]


class TestSnapshotsOfAClassifier:
    def test_a_snapshot_without_texts_changes_nothing(self):
        """Old snapshots stay what they were."""
        without = Snapshot.from_dict({"contoso.com": {"A": "present", "MX": "absent"}})
        row = {"mail_from": "x@contoso.com", "client_ip": "192.0.2.1"}

        assert without.spf is None
        assert Classifier(dns=without).classify_record(row).spf_from is None

    def test_rows_without_a_result_are_evaluated(self):
        verdicts = {}
        classifier = Classifier(dns=snapshot())
        for name in ZONE:
            verdict = classifier.classify_record({"mail_from": f"x@{name}", "client_ip": "198.51.100.1"})
            verdicts[name] = (verdict.facts["spf_pass"], verdict.spf_from)

        assert verdicts == {
            "static.example": ("yes", "evaluated"),
            "other.example": ("yes", "evaluated"),
            "each.example": ("no", "evaluated"),
            "192.0.2.1.ok.example": ("unknown", None),
            "198.51.100.1.ok.example": ("unknown", None),
            "local.example": ("unknown", "evaluated"),
            "empty.example": ("no", "evaluated"),
            "deeper.example": ("unknown", "evaluated"),
        }


@pytest.mark.parametrize("rdata", ["notanip", "::1", "", "8.8.4.04"])
def test_an_address_that_cannot_be_read_is_unknown(rdata):
    """It might have been the client's."""
    zone = {"a.example": {"TXT": ["v=spf1 a -all"], "A": [rdata]}}

    assert word(SnapshotSpf(snapshot(zone)), "a.example") == "temperror"


@pytest.mark.parametrize("reason", ["stale", "lame", "timeout", "unconfirmed", "hijacked", "nodata"])
def test_an_absence_with_any_reason_counts_only_if_it_was_seen_twice(reason):
    zone = {"a.example": {"TXT": []}}

    assert word(SnapshotSpf(snapshot(zone, reason=reason, confirmed=False)), "a.example") == "temperror"


@pytest.mark.parametrize(
    "row",
    [
        {"status": "present", "rdata": "v=spf1 ip4:192.0.2.1 -all"},
        {"status": "present", "rdata": [None]},
        {"status": "absent", "rdata": ["v=spf1 -all"]},
    ],
)
def test_records_that_contradict_their_row_are_refused(tmp_path, row):
    """A text alone would be the list of its letters, and an absence has no records."""
    path = tmp_path / "dns.ndjson"
    path.write_bytes(orjson.dumps({"name": "a.example", "rdtype": "TXT", **row}))

    with pytest.raises(SnapshotError, match="rdata"):
        Snapshot.open(str(path))
