"""Look-ups ahead of classification: every batch waits for its own names and no others, and nothing shows in the output."""

import _thread
import threading
from concurrent.futures import CancelledError, Future
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolsift
from poolsift._native.nouns import SpfTable
from poolsift.dns.answers import Answer, AnswerStatus, Reason
from poolsift.dns.names import unaskable
from poolsift.engines.prefetch import AHEAD, Prefetch
from poolsift.engines.verdicts import VerdictSource
from poolsift.errors import UsageError
from poolsift.rules import DEFAULT
from poolsift.tenant import Tenant
from tests.reference.encodings import encode
from tests.reference.worlds import snapshot_rows
from tests.strategies import TENANTS, random_columns

ABSENT = Answer(AnswerStatus.ABSENT, confirmed=True)
MAIL = Answer(AnswerStatus.PRESENT, ("10 mail.example.com",))
TIMEOUT = Answer(AnswerStatus.UNKNOWN, reason=Reason.TIMEOUT)


def batch(*senders):
    rows = [{"mail_from": sender, "header_from": None} for sender in senders]
    return pa.RecordBatch.from_pylist(
        rows, schema=pa.schema([("mail_from", pa.string()), ("header_from", pa.string())])
    )


def answer(name):
    """By the first letter: a resolves, n does not, anything else times out."""
    return {"a": {"MX": MAIL}, "n": {"MX": ABSENT, "A": ABSENT}}.get(name[0], {"MX": TIMEOUT, "A": TIMEOUT})


class ByHand:
    """A resolver that answers when the test says so."""

    def __init__(self):
        self.asked = []
        self.futures = []

    def __call__(self, names):
        future = Future()
        self.asked.append(names)
        self.futures.append(future)
        return future

    def finish(self, place):
        self.futures[place].set_result({name: answer(name) for name in self.asked[place]})

    def soon(self, asked, *places, then=None):
        """Once so many look-ups are under way, those at the places are finished, or something else is done."""

        def act():
            pause = threading.Event()
            while len(self.futures) < asked:
                pause.wait(0.001)
            for place in places:
                self.finish(place)
            if then is not None:
                then()

        threading.Thread(target=act, daemon=True).start()


def at_once(names):
    future = Future()
    future.set_result({name: answer(name) for name in names})
    return future


@pytest.fixture
def by_hand():
    return ByHand()


def pulling(read, batches):
    """The batches; `read` keeps which were pulled."""
    for one in batches:
        read.append(one)
        yield one


class TestWhoIsAsked:
    def test_each_name_once_in_canonical_form(self, by_hand):
        """Spellings, both columns, repeats in a batch and between batches under way or answered."""
        batches = [batch("x@A1.example", "y@a1.EXAMPLE.", "z@bücher.example"), batch("x@a1.example", "x@a2.example")]
        stream = Prefetch(by_hand, ahead=3).batches(pulling([], [*batches, *batches]))
        by_hand.soon(2, 1, 0)
        list(stream)

        assert by_hand.asked == [["a1.example", "xn--bcher-kva.example"], ["a2.example"]]

    def test_the_header_speaks_where_there_is_no_path(self, by_hand):
        """The same domain that the verdict is about."""
        rows = [
            {"mail_from": "<>", "header_from": "a@h.example"},
            {"mail_from": "bad", "header_from": "a@never.example"},
        ]
        stream = Prefetch(by_hand, ahead=1).batches([pa.RecordBatch.from_pylist(rows)])
        by_hand.soon(1, 0)
        list(stream)

        assert by_hand.asked == [["h.example"]]

    def test_names_that_cannot_exist_are_nobodys_question(self, by_hand):
        """Such a batch waits for nothing."""
        odd = batch("a@[192.0.2.1]", "a@192.0.2.1", "a@printer", "a@x.local", "a@b@c", "<>", None)

        assert list(Prefetch(by_hand).batches([odd, batch()])) == [odd, batch()]
        assert by_hand.asked == []


class TestOrder:
    def test_the_first_batch_does_not_wait_for_later_names(self, by_hand):
        """Its own answers let it go, whatever is under way."""
        batches = [batch(f"x@a{number}.example") for number in range(3)]
        read = []
        stream = Prefetch(by_hand, ahead=2).batches(pulling(read, batches))
        by_hand.soon(2, 0)

        assert next(stream) is batches[0]
        assert not any(future.done() for future in by_hand.futures[1:])
        stream.close()

    def test_reading_goes_on_while_answers_are_waited_for_but_not_without_bound(self, by_hand):
        """No more batches are held than allowed."""
        batches, read = [batch(f"x@a{number}.example") for number in range(9)], []
        stream = Prefetch(by_hand).batches(pulling(read, batches))
        by_hand.soon(AHEAD, 0)

        assert next(stream) is batches[0]
        assert (len(read), len(by_hand.asked)) == (AHEAD, AHEAD)
        stream.close()

    def test_a_batch_has_its_answers_when_it_comes(self, by_hand):
        """Also those that an earlier batch asked for."""
        prefetch = Prefetch(by_hand, ahead=2)
        stream = prefetch.batches([batch("x@a1.example"), batch("x@a1.example", "y@n1.example")])
        by_hand.soon(2, 1, 0)
        states = [prefetch.table.missing(["a1.example", "n1.example"]) for _ in stream]

        assert states == [["n1.example"], []]

    @given(seed=st.integers(0, 1 << 30), ahead=st.integers(1, 5))
    def test_any_timing_gives_the_same_batches(self, seed, ahead):
        """In their order, each with all its names answered."""
        random = Random(seed)
        batches = [batch(*(f"x@a{random.randrange(12)}.example" for _ in range(random.randrange(4)))) for _ in range(8)]
        timers = []

        def resolve(names):
            future = Future()
            timers.append(
                threading.Timer(random.random() / 500, future.set_result, ({name: answer(name) for name in names},))
            )
            timers[-1].start()
            return future

        prefetch, given_back = Prefetch(resolve, ahead=ahead), []
        for one in prefetch.batches(batches):
            given_back.append(one)
            assert prefetch.table.missing([name.partition("@")[2] for name in one["mail_from"].to_pylist()]) == []
        for timer in timers:
            timer.join()

        assert [id(one) for one in given_back] == [id(one) for one in batches]


class TestFailures:
    @pytest.mark.parametrize("how", ["raised", "set"])
    def test_come_in_place_of_the_batch_that_asked(self, how):
        """What was read before is given first."""

        def resolve(names):
            if names != ["bad.example"]:
                return at_once(names)
            if how == "raised":
                raise OSError("no socket")
            future = Future()
            future.set_exception(OSError("no socket"))
            return future

        batches = [batch("x@a1.example"), batch("x@bad.example"), batch("x@a2.example")]
        stream = Prefetch(resolve).batches(batches)

        assert next(stream) is batches[0]
        with pytest.raises(OSError, match="no socket"):
            next(stream)

    def test_of_the_source_pass_and_cancel_what_is_under_way(self, by_hand):
        """A stream that ends early leaves nobody working for it."""

        def source():
            yield batch("x@a1.example")
            raise ValueError("broken input")

        with pytest.raises(ValueError, match="broken input"):
            list(Prefetch(by_hand).batches(source()))

        assert [future.cancelled() for future in by_hand.futures] == [True]

    def test_an_interrupt_ends_the_wait_and_the_look_ups(self, by_hand):
        """Nothing is waited out."""
        stream = Prefetch(by_hand, ahead=1).batches([batch("x@a1.example")])
        by_hand.soon(1, then=_thread.interrupt_main)
        with pytest.raises(KeyboardInterrupt):
            next(stream)

        assert [future.cancelled() for future in by_hand.futures] == [True]

    def test_look_ups_that_somebody_cancelled_are_no_answers(self, by_hand):
        """They never become an absence."""
        prefetch = Prefetch(by_hand, ahead=1)
        by_hand.soon(1, then=lambda: by_hand.futures[0].cancel())
        with pytest.raises(CancelledError):
            next(prefetch.batches([batch("x@n1.example")]))

        assert prefetch.table.missing(["n1.example"]) == ["n1.example"]

    def test_a_name_without_answer_is_unknown(self):
        """A resolver that forgets a name has not said that it is absent."""
        future = Future()
        future.set_result({})
        prefetch = Prefetch(lambda names: future)
        list(prefetch.batches([batch("x@n1.example")]))

        assert prefetch.table.table.lookup("n1.example")[:2] == ("unknown", "unknown")
        assert prefetch.tally.unknown == {"cancelled": 1}

    def test_a_pass_made_again_asks_only_what_is_not_known(self, by_hand):
        """What was under way when the first pass was given up is asked again."""
        prefetch = Prefetch(by_hand, ahead=2)
        first = prefetch.batches([batch("x@a1.example"), batch("x@a2.example")])
        by_hand.soon(2, 0)
        next(first)
        first.close()
        second = prefetch.batches([batch("x@a1.example", "x@a2.example")])
        by_hand.soon(3, 2)
        list(second)

        assert by_hand.asked == [["a1.example"], ["a2.example"], ["a2.example"]]


def test_names_are_counted_by_what_they_came_to():
    """Once each, for summary and manifest."""
    prefetch = Prefetch(at_once, name="live: 127.0.0.1:5301", resolvers=["127.0.0.1:5301"])
    list(prefetch.batches([batch("x@a1.example", "x@n1.example"), batch("x@n1.example", "x@t1.example", "x@printer")]))

    assert prefetch.description() == {
        "resolvers": ["127.0.0.1:5301"], "names": 3, "resolves": 1, "neither": 1, "unknown": {"timeout": 1}, "invalid": {},
    }  # fmt: skip


def test_at_least_one_batch_must_be_held():
    """None would never come out."""
    with pytest.raises(ValueError, match="ahead"):
        Prefetch(at_once, ahead=0)


def source(*, live=None, dns=None):
    return VerdictSource(
        tenant=poolsift.Tenant.parse(TENANTS), dns=dns, rules=DEFAULT, compare=("2016-08",), assume=None, live=live
    )


class TestVerdicts:
    ROWS = {(row["name"], row["rdtype"]): row for row in snapshot_rows() if unaskable(row["name"]) is None}

    @classmethod
    def answers(cls, name):
        found = {rdtype: cls.ROWS[name, rdtype] for rdtype in ("MX", "A", "AAAA") if (name, rdtype) in cls.ROWS}
        return {t: Answer(AnswerStatus(row["status"]), tuple(row["rdata"]), confirmed=True) for t, row in found.items()}

    @pytest.mark.parametrize("threads", [1, 3])
    @pytest.mark.parametrize("seed", range(3))
    def test_are_those_of_a_snapshot_for_any_threads_and_timing(self, seed, threads):
        """Row for row, with the same count of undecided names."""
        random = Random(seed)
        table = encode(random_columns(seed, 1_500, 200), "string")
        batches, start = [], 0
        while start < len(table):
            batches.append(table.slice(start, random.randint(1, 200)).combine_chunks().to_batches()[0])
            start += len(batches[-1])
        timers = []

        def resolve(names):
            future = Future()
            found = {name: self.answers(name) for name in names}
            timers.append(threading.Timer(random.random() / 200, future.set_result, (found,)))
            timers[-1].start()
            return future

        live = source(live=Prefetch(resolve))
        fixed = source(dns=poolsift.Snapshot.from_rows(self.ROWS.values()))
        found = list(live.ordered(iter(batches), threads))
        expected = list(fixed.ordered(iter(batches), 1))
        for timer in timers:
            timer.join()

        assert [id(records) for records, _ in found] == [id(one) for one in batches]
        assert [verdicts.to_pylist() for _, verdicts in found] == [verdicts.to_pylist() for _, verdicts in expected]
        assert live.undecided() == fixed.undecided() != (0, 0)

    def test_say_in_summary_and_manifest_where_answers_came_from(self):
        """Resolvers and counts stand for the hash that live answers do not have."""
        verdicts = source(live=Prefetch(at_once, name="live: 127.0.0.1:5301", resolvers=["127.0.0.1:5301"]))
        list(verdicts.ordered([batch("x@n1.example")], 1))
        described = verdicts.description()

        assert (described["dns"], described["dns_sha256"]) == ("live: 127.0.0.1:5301", None)
        assert described["dns_live"]["neither"] == 1
        assert "dns_live" not in source().description()

    def test_a_pass_made_again_counts_undecided_names_anew(self):
        """Names of an input that was left out are not in the result."""
        verdicts = source(live=Prefetch(at_once))
        list(verdicts.ordered([batch("x@t1.example", "x@t2.example")], 1))
        before = verdicts.undecided()
        list(verdicts.ordered([batch("x@t1.example", "x@a1.example", "x@n1.example")], 1))

        assert (before, verdicts.undecided()) == ((2, 2), (1, 3))

    def test_without_dns_nothing_is_undecided(self):
        """Every name is assumed to resolve."""
        verdicts = source()
        list(verdicts.ordered([batch("x@t1.example")], 1))

        assert verdicts.undecided() == (0, 0)

    def test_giving_up_in_the_middle_cancels_what_is_under_way(self, by_hand):
        """A run that ends early leaves nobody working for it."""
        stream = source(live=Prefetch(by_hand, ahead=2)).ordered([batch("x@a1.example"), batch("x@a2.example")], 1)
        by_hand.soon(2, 0)
        next(stream)
        stream.close()

        assert by_hand.futures[1].cancelled()

    def test_a_snapshot_and_live_answers_exclude_one_another(self):
        """Nobody could tell which decided."""
        with pytest.raises(UsageError, match="snapshot or live"):
            source(live=Prefetch(at_once), dns=poolsift.Snapshot.from_dict({}))


class SpfByHand(ByHand):
    """A source of SPF that answers when the test says so; every address passes."""

    def __init__(self):
        super().__init__()
        self.table = SpfTable()

    def ask(self, entries):
        return self(entries)

    def finish(self, place):
        for _, name, family in self.asked[place]:
            self.table.add(name, family, bytes({4: 4, 6: 16}[family]), b"\1")
        self.futures[place].set_result(None)


class TestSpf:
    ROWS = (
        {"mail_from": "x@a1.example", "client_ip": "192.0.2.1"},
        {"mail_from": "x@a1.example", "client_ip": "2001:db8::1"},
        {"mail_from": "x@a2.example", "client_ip": "192.0.2.1", "spf": "pass"},
        {"mail_from": "x@a3.example", "client_ip": "10.0.0.1"},
        {"mail_from": "x@a4.example", "client_ip": "203.0.113.1"},
        {"mail_from": "x@a5.example", "client_ip": "203.0.113.1", "source_ip": "2001:db8::1"},
    )
    TENANT = Tenant.parse(
        '[[tenant]]\naccepted_domains = ["contoso.com"]\n'
        'gateway = [{ name = "g", prefixes = ["203.0.113.0/24"], enhanced_filtering = true }]\n'
    )

    def batch(self, *rows):
        schema = pa.schema(
            [(name, pa.string()) for name in ("mail_from", "client_ip", "spf", "source_ip", "header_from")]
        )
        return pa.RecordBatch.from_pylist(list(rows), schema=schema)

    def test_the_trees_of_rows_without_a_result_are_asked_once_each(self):
        """By the address that counts; batches under way do not ask again."""
        spf = SpfByHand()
        batches = [
            self.batch(*self.ROWS),
            self.batch(*self.ROWS),
            self.batch({"mail_from": "x@a6.example", "client_ip": "192.0.2.1"}),
        ]
        stream = Prefetch(at_once, ahead=3, spf=spf, tenant=self.TENANT).batches(batches)
        spf.soon(2, 1, 0)
        list(stream)

        assert [sorted(asked) for asked in spf.asked] == [
            [("program", "a1.example", 4), ("program", "a1.example", 6), ("program", "a5.example", 6)],
            [("program", "a6.example", 4)],
        ]  # fmt: skip

    def test_a_batch_waits_for_its_trees_too(self):
        spf = SpfByHand()
        stream = Prefetch(at_once, ahead=1, spf=spf).batches([self.batch(*self.ROWS)])
        spf.soon(1, 0)
        next(stream)

        assert [spf.table.lookup("a1.example", address) for address in ("192.0.2.1", "2001:db8::1")] == [1, 1]

    def test_a_failure_is_raised_in_place_of_the_batch_that_asked(self):
        spf = SpfByHand()
        first, second = self.batch({"mail_from": "x@a2.example"}), self.batch(self.ROWS[0])
        stream = Prefetch(at_once, ahead=2, spf=spf).batches([first, second])
        spf.soon(1, then=lambda: spf.futures[0].set_exception(OSError("gone")))

        assert next(stream) is first
        with pytest.raises(OSError, match="gone"):
            next(stream)

    def test_look_ups_that_nobody_waits_for_are_cancelled(self):
        spf = SpfByHand()

        def breaking_off():
            yield self.batch(self.ROWS[0])
            raise OSError("damaged")

        with pytest.raises(OSError, match="damaged"):
            list(Prefetch(at_once, ahead=2, spf=spf).batches(breaking_off()))

        assert [future.cancelled() for future in spf.futures] == [True]
