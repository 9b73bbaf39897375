"""The DNS cache: what is given, to whom and how long; what lasts; runs side by side; compared with its slow twin."""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.dns.cache import DnsCache
from tests.reference.dns_cache import CacheOfPuts

VIEW = "192.0.2.53:53"
START = 1_800_000_000.0
MX = Question("contoso.com", "MX")
A = Question("contoso.com", "A")


class Clock:
    """Wall time in seconds that a test sets."""

    def __init__(self, now=START):
        self.now = now

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "dns.cache")


def at(seconds):
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)


def present(ttl=300, asked_at=None, rdata=("10 mail.contoso.com",)):
    return Answer(AnswerStatus.PRESENT, rdata, ttl, None, asked_at)


def absent(ttl=300, asked_at=None, confirmed=True, reason=Reason.NXDOMAIN):
    return Answer(AnswerStatus.ABSENT, (), ttl, reason, asked_at, confirmed)


def failed(reason=Reason.TIMEOUT):
    return unknown(reason)


class TestWhatIsGiven:
    def test_an_answer_comes_back_as_it_was(self, path, clock):
        """Every field survives the file, records in any script and times to the microsecond."""
        answer = Answer(
            AnswerStatus.PRESENT,
            ("v=spf1 -all", "Ünïcode\x00\n☃"),
            86_400,
            "any text",
            at(START) - timedelta(microseconds=1),
        )
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            cache.put([(Question("a.example", "TXT"), answer), (A, absent(asked_at=at(START)))])
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            found = cache.lookup(["a.example", "contoso.com", "b.example"])

        assert found == {"a.example": {"TXT": answer}, "contoso.com": {"A": absent(asked_at=at(START))}}

    def test_an_answer_counts_until_its_ttl_is_over(self, clock):
        """Fresh to the last moment, then asked again; any age still has it."""
        with DnsCache.open(None, view=VIEW, clock=clock) as cache:
            cache.put([(MX, present(ttl=300))])
            clock.now += 299.999
            last = cache.lookup(["contoso.com"])
            clock.now = START + 300

            assert last["contoso.com"]["MX"].rdata == ("10 mail.contoso.com",)
            assert cache.lookup(["contoso.com"]) == {}
            assert cache.lookup(["contoso.com"], any_age=True)["contoso.com"]["MX"].ttl == 300

    def test_answers_of_other_resolvers_are_not_given(self, path, clock):
        """Each view has its own answers in one file."""
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            cache.put([(MX, present())])
        with DnsCache.open(path, view="198.51.100.1:53", clock=clock) as other:
            empty = (other.lookup(["contoso.com"], any_age=True), len(other))
            other.put([(MX, absent())])
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            found = cache.lookup(["contoso.com"])["contoso.com"]["MX"].status

        assert empty == ({}, 0)
        assert found == "present"

    @pytest.mark.parametrize(
        "answer",
        [
            absent(ttl=0),
            absent(ttl=None),
            present(ttl=0),
            present(ttl=-1),
            present(ttl=1 << 31),
            present(ttl=1 << 80),
            Answer(AnswerStatus.INVALID, ttl=300, reason=Reason.SPECIAL_USE),
        ],
        ids=["absent-0", "absent-none", "0", "negative", "2^31", "2^80", "invalid"],
    )
    def test_what_is_not_to_be_kept_is_given_to_its_own_run_only(self, path, clock, answer):
        """An absence without SOA, an invalid name, a TTL that counts as 0: never fresh, never stale, there with any age."""
        with DnsCache.open(path, view=VIEW, clock=clock, max_stale=86_400) as cache:
            cache.put([(MX, answer)])

            assert cache.lookup(["contoso.com"]) == {}
            assert cache.stale(["contoso.com"]) == {}
            assert cache.lookup(["contoso.com"], any_age=True)["contoso.com"]["MX"].status == answer.status

    def test_what_was_put_is_found_before_it_is_committed(self, path, clock):
        """The run sees its own answers at once, and counts them."""
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            cache.put([(MX, present()), (MX, absent()), (A, present(rdata=("192.0.2.1",)))])
            size, found = len(cache), cache.lookup(["contoso.com"])

        assert size == 2
        assert {rdtype: answer.status for rdtype, answer in found["contoso.com"].items()} == {
            "MX": "absent",
            "A": "present",
        }

    def test_many_names_at_once(self, path, clock):
        """More names than SQLite takes values in one statement, some twice, some not there."""
        names = [f"n{i}.example" for i in range(2_500)]
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            cache.put((Question(name, "A"), present(rdata=(name,))) for name in names[::2])
            found = cache.lookup(names + names[:10])

        assert {name: types["A"].rdata for name, types in found.items()} == {name: (name,) for name in names[::2]}

    def test_no_names(self, clock):
        with DnsCache.open(None, view=VIEW, clock=clock) as cache:
            assert cache.lookup([]) == {}


class TestFailures:
    def test_failures_in_a_row_are_remembered_twice_as_long_each(self, path, clock):
        """5 s, 10, 20 … and at most 300 (RFC 9520), whatever the answer's own TTL, over several runs."""
        kept = []
        for _ in range(9):
            with DnsCache.open(path, view=VIEW, clock=clock) as cache:
                cache.put([(MX, unknown(Reason.SERVFAIL, ttl=86_400))])
                answer = cache.lookup(["contoso.com"])["contoso.com"]["MX"]
                clock.now += answer.ttl - 0.001
                assert cache.lookup(["contoso.com"])
                clock.now += 0.001
                assert cache.lookup(["contoso.com"]) == {}
                kept.append(answer.ttl)

        assert kept == [5, 10, 20, 40, 80, 160, 300, 300, 300]

    def test_a_definite_answer_ends_the_row(self, clock):
        with DnsCache.open(None, view=VIEW, clock=clock) as cache:
            cache.put([(MX, failed()), (MX, failed()), (MX, absent()), (MX, failed())])

            assert cache.lookup(["contoso.com"])["contoso.com"]["MX"].ttl == 5

    def test_a_failure_hides_a_fresh_answer_and_does_not_replace_it(self, path, clock):
        """Unknown while the failure is remembered, to fall back on at once, and given again afterwards."""
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            cache.put([(MX, present())])
            clock.now += 10
            cache.put([(MX, failed())])
            during = cache.lookup(["contoso.com"]), cache.stale(["contoso.com"])
            clock.now += 5
            after = cache.lookup(["contoso.com"]), cache.stale(["contoso.com"])
            at_the_end = cache.lookup(["contoso.com"], any_age=True)

        assert during[0]["contoso.com"]["MX"] == Answer(
            AnswerStatus.UNKNOWN, ttl=5, reason="timeout", asked_at=at(START + 10)
        )
        assert during[1]["contoso.com"]["MX"] == present(ttl=30, asked_at=at(START))
        assert after == ({"contoso.com": {"MX": present(asked_at=at(START))}}, {})
        assert at_the_end == after[0]

    @pytest.mark.parametrize("answer", [present(ttl=60), absent(ttl=60)], ids=["present", "absent"])
    def test_an_expired_answer_is_given_as_stale_for_a_while(self, path, clock, answer):
        """RFC 8767: not by lookup, by stale only, up to max_stale past its time, with 30 s, failed or not."""
        with DnsCache.open(path, view=VIEW, clock=clock, max_stale=100) as cache:
            cache.put([(MX, answer)])
            clock.now = START + 60
            expired = cache.lookup(["contoso.com"]), cache.stale(["contoso.com"])
            cache.put([(MX, failed())])
            clock.now = START + 160
            last = cache.lookup(["contoso.com"]), cache.stale(["contoso.com"])
            clock.now += 0.001
            over = cache.stale(["contoso.com"])

        assert expired[0] == last[0] == over == {}
        assert expired[1] == last[1]
        assert (last[1]["contoso.com"]["MX"].status, last[1]["contoso.com"]["MX"].ttl) == (answer.status, 30)

    def test_without_max_stale_nothing_expired_is_given(self, clock):
        with DnsCache.open(None, view=VIEW, clock=clock) as cache:
            cache.put([(MX, present(ttl=60))])
            clock.now += 60
            cache.put([(MX, failed())])

            assert cache.stale(["contoso.com"]) == {}
            assert cache.lookup(["contoso.com"], any_age=True)["contoso.com"]["MX"].status == "unknown"

    @pytest.mark.parametrize("reason", [Reason.UNCONFIRMED, Reason.LAME])
    def test_an_absence_that_its_confirmation_doubted_never_comes_back(self, clock, reason):
        """The doubt speaks of the very answer that is held; a confirmed absence and a mere timeout are other matters."""
        with DnsCache.open(None, view=VIEW, clock=clock) as cache:
            cache.put([(MX, absent(confirmed=False)), (A, absent(confirmed=True))])
            cache.put([(MX, failed(reason)), (A, failed(reason))])
            clock.now += 60

            assert {rdtype: a.status for rdtype, a in cache.lookup(["contoso.com"])["contoso.com"].items()} == {
                "A": "absent"
            }
            assert cache.lookup(["contoso.com"], any_age=True)["contoso.com"]["MX"].status == "unknown"

    def test_an_unconfirmed_absence_is_not_half_of_a_pair_that_no_run_saw(self, clock):
        """MX absent in one run, failed in the next: it stays unknown, with any age and stale, though still in its time."""
        with DnsCache.open(None, view=VIEW, clock=clock, max_stale=86_400) as cache:
            cache.put([(MX, absent(confirmed=False)), (A, failed())])
            cache.put([(MX, failed()), (A, absent(confirmed=False))])

            assert cache.stale(["contoso.com"]) == {}
            clock.now += 60
            found = cache.lookup(["contoso.com"], any_age=True)["contoso.com"]

        assert {rdtype: answer.status for rdtype, answer in found.items()} == {"MX": "unknown", "A": "absent"}


class TestClocks:
    def test_an_answer_from_the_future_counts_as_expired(self, path, clock):
        """A clock set back by an hour: asked again, not trusted for longer, not stale; slewing by seconds does no harm."""
        with DnsCache.open(path, view=VIEW, clock=clock, max_stale=86_400) as cache:
            cache.put([(MX, present(ttl=86_400)), (A, failed())])
            clock.now = START - 5
            slewed = cache.lookup(["contoso.com"])
            clock.now = START - 3_600
            back = cache.lookup(["contoso.com"]), cache.stale(["contoso.com"])
            cache.put([(MX, absent())])
            again = cache.lookup(["contoso.com"])

        assert set(slewed["contoso.com"]) == {"MX", "A"}
        assert back == ({}, {})
        assert again["contoso.com"]["MX"].status == "absent"

    def test_forward_ten_years_and_past_2038(self, path, clock):
        """Everything is old then, new answers are kept, and the file outlives it."""
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            cache.put([(MX, present())])
            clock.now += 10 * 365.25 * 86_400
            before = cache.lookup(["contoso.com"])
            clock.now = 2.0**31 + 10
            cache.put([(MX, present(ttl=86_400))])
            after = cache.lookup(["contoso.com"])

        assert before == {}
        assert after["contoso.com"]["MX"].asked_at == at(2**31 + 10)

    @pytest.mark.parametrize("step", [1.0, -3_600.0])
    def test_a_second_later_what_was_put_is_committed(self, path, clock, step):
        """The next put commits, also when the clock was set back; before that nothing is written."""
        with DnsCache.open(path, view=VIEW, clock=clock) as cache, DnsCache.open(path, view=VIEW, clock=clock) as other:
            cache.put([(MX, present(asked_at=at(START - 7_200)))])
            before = len(other)
            clock.now += step
            cache.put([(A, present(asked_at=at(START - 7_200)))])

            assert (before, len(other)) == (0, 2)


class TestCommits:
    def test_every_thousand_answers(self, path, clock):
        """999 are not yet there for others, 1,000 are."""
        questions = [Question(f"n{i}.example", "A") for i in range(1_999)]
        with DnsCache.open(path, view=VIEW, clock=clock) as cache, DnsCache.open(path, view=VIEW, clock=clock) as other:
            cache.put((question, present()) for question in questions[:999])
            before = len(other)
            cache.put((question, present()) for question in questions[999:])

            assert (before, len(other)) == (0, 1_000)

    def test_commit_and_close(self, path, clock):
        """Both make answers last; closing twice does no harm; a closed cache refuses loudly."""
        cache = DnsCache.open(path, view=VIEW, clock=clock)
        with DnsCache.open(path, view=VIEW, clock=clock) as other:
            cache.put([(MX, present())])
            cache.commit()
            committed = len(other)
            cache.put([(A, present())])
            cache.close()
            cache.close()

            assert (committed, len(other)) == (1, 2)
        for use in (lambda: cache.put([(MX, present())]), cache.commit, lambda: cache.lookup(["contoso.com"])):
            with pytest.raises(ValueError, match="closed"):
                use()

    def test_another_thread_may_close(self, path, clock):
        """The owner puts and stops; what it put is kept."""
        cache = DnsCache.open(path, view=VIEW, clock=clock)
        worker = threading.Thread(target=cache.put, args=([(MX, present())],))
        worker.start()
        worker.join()
        cache.close()
        with DnsCache.open(path, view=VIEW, clock=clock) as cache:
            assert len(cache) == 1

    def test_answers_that_come_from_a_generator_that_reads_the_cache(self, clock):
        """Putting does not hold the cache while the answers are being made."""
        with DnsCache.open(None, view=VIEW, clock=clock) as cache:
            cache.put((question, present()) for question in (MX, A) if not cache.lookup([question.name]).get("x"))

            assert len(cache) == 2


WRITER = """
import sys
from poolsift.dns.answers import *
from poolsift.dns.cache import DnsCache
path, name = sys.argv[1:]
cache = DnsCache.open(path, view="v")
print("ready", flush=True)
sys.stdin.readline()
for start in range(0, 2_000, 50):
    answers = [(Question(f"{name}{i}.example", "A"), Answer(AnswerStatus.PRESENT, (name,), 86_400)) for i in range(start, start + 50)]
    cache.put([*answers, (Question("shared.example", "A"), unknown(Reason.TIMEOUT))])
    cache.commit()
cache.close()
print(cache.warnings)
"""


def test_two_runs_at_once_lose_no_answer(path):
    """Both write 2,000 answers; all are there, and the failures that both saw were counted one by one."""
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("left", "right")
    ]
    ready = [run.stdout.readline() for run in runs]
    for run in runs:
        run.stdin.write("\n")
        run.stdin.flush()
    said = [run.communicate()[0] for run in runs]
    with DnsCache.open(path, view="v") as cache:
        names = [f"{name}{i}.example" for name in ("left", "right") for i in range(2_000)]
        found = cache.lookup(names)
        (failures,) = cache._file.execute("SELECT failures FROM answers WHERE name = 'shared.example'").fetchone()

    assert (ready, said) == (["ready\n"] * 2, ["[]\n"] * 2)
    assert found.keys() == set(names)
    assert failures == 80


FORKER = """
import os, sys
from poolsift.dns.answers import *
from poolsift.dns.cache import DnsCache
present = lambda i: [(Question(f"n{i}.example", "A"), Answer(AnswerStatus.PRESENT, ("192.0.2.1",), 86_400))]
down, up = os.pipe(), os.pipe()
cache = DnsCache.open(sys.argv[1], view="v")
cache.put(present(1))
cache.commit()
cache.put(present(2))
if (child := os.fork()) == 0:
    assert cache.lookup(["n1.example", "n2.example"]).keys() == {"n1.example"}, "the child reads the file"
    cache.put(present(3))
    cache.commit()
    os.write(up[1], b".")
    os.read(down[0], 1)  # the parent has closed
    cache.put(present(4))
    cache.close()
    sys.exit(0)  # with the interpreter's whole end
os.read(up[0], 1)
if (idle := os.fork()) == 0:
    sys.exit(0)  # a child that never uses it
os.waitpid(idle, 0)
cache.put(present(5))
cache.close()
os.write(down[1], b".")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_opens_the_file_anew(path):
    """Parent and child both write, the parent closes first: nothing is lost, not even what the child wrote last."""
    run = subprocess.run([sys.executable, "-c", FORKER, path], capture_output=True, text=True, check=False)
    with DnsCache.open(path, view="v") as cache:
        names = cache.lookup([f"n{i}.example" for i in range(9)])

    assert (run.returncode, run.stderr) == (0, "")
    assert (sorted(names), cache.warnings) == ([f"n{i}.example" for i in range(1, 6)], [])
    assert sorted(os.listdir(os.path.dirname(path))) == ["dns.cache"]


BUSY_FORKER = """
import os, sys, threading
from poolsift.dns.answers import *
from poolsift.dns.cache import DnsCache
present = lambda i: [(Question(f"n{i}.example", "A"), Answer(AnswerStatus.PRESENT, ("192.0.2.1",), 86_400))]
cache = DnsCache.open(sys.argv[1], view="v")
cache.put(present(1))
cache.commit()
held, done = threading.Event(), threading.Event()
def work():
    with cache._lock:
        held.set()
        done.wait()
worker = threading.Thread(target=work)
worker.start()
held.wait()
if (child := os.fork()) == 0:
    cache.put(present(2))
    assert cache.lookup(["n1.example", "n2.example"]).keys() == {"n2.example"}, "the child is on its own"
    cache.close()
    print(*cache.warnings)
    sys.stdout.flush()
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
done.set()
worker.join()
cache.put(present(3))
cache.close()
sys.exit(code)
"""


def test_a_child_forked_while_another_thread_uses_the_cache(path):
    """It cannot know what state the file's connection was in: it works in memory, says so, and harms nothing."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUSY_FORKER, path], capture_output=True, text=True, check=False
    )
    with DnsCache.open(path, view="v") as cache:
        found = sorted(cache.lookup([f"n{i}.example" for i in range(9)]))

    assert (run.returncode, run.stderr) == (0, "")
    assert "cannot be used in a process forked meanwhile; answers are kept in memory" in run.stdout
    assert found == ["n1.example", "n3.example"]


QUESTIONS = [Question(name, rdtype) for name in ("a.example", "b.example") for rdtype in ("A", "MX")]
NAMES = ["a.example", "b.example"]
ANSWERS = st.builds(
    Answer,
    status=st.sampled_from(AnswerStatus),
    ttl=st.sampled_from([None, 0, 1, 30, 60, 300]),
    reason=st.sampled_from([None, "timeout", "nxdomain", "unconfirmed", "lame"]),
    asked_at=st.one_of(st.none(), st.integers(-400, 30).map(lambda seconds: at(START + seconds))),
    confirmed=st.booleans(),
).map(lambda a: Answer(a.status, (), a.ttl, a.reason, a.asked_at, a.confirmed and a.status == "absent"))
STEPS = st.one_of(
    st.tuples(st.just("put"), st.lists(st.tuples(st.sampled_from(QUESTIONS), ANSWERS), max_size=4)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 1, 4, 5, 6, 25, 31, 60, 250, 300, 3_600, -1, -5, -6, -400])),
    st.tuples(st.just("reopen"), st.none()),
)


@given(st.lists(STEPS, max_size=25), st.sampled_from([0, 1, 60, 3_600]), st.booleans())
def test_gives_what_the_slow_twin_gives(tmp_path_factory, steps, max_stale, in_memory):
    """After any sequence of puts, waits and runs the cache gives, and falls back on, what the list of puts says."""
    clock, twin = Clock(), CacheOfPuts(max_stale)
    path = None if in_memory else str(tmp_path_factory.mktemp("twin") / "dns.cache")
    cache = DnsCache.open(path, view=VIEW, clock=clock, max_stale=max_stale)
    for kind, value in steps:
        twin.now = clock.now
        if kind == "put":
            cache.put(value)
            for question, answer in value:
                twin.put(question, answer)
        elif kind == "wait":
            clock.now += value
        elif not in_memory:
            cache.close()
            cache = DnsCache.open(path, view=VIEW, clock=clock, max_stale=max_stale)
        twin.now = clock.now

        assert cache.lookup(NAMES) == twin.lookup(NAMES)
        assert cache.lookup(NAMES, any_age=True) == twin.lookup(NAMES, any_age=True)
        assert cache.stale(NAMES) == twin.stale(NAMES)
    assert (len(cache), cache.warnings, cache.damaged_rows) == (len(twin.puts), [], 0)
    cache.close()


@pytest.mark.nightly
def test_a_million_answers(path):
    """They fit in 200 MB, are all found, and the file is sound when opened again."""
    number, clock = 1_000_000, Clock()
    with DnsCache.open(path, view=VIEW, clock=clock) as cache:
        cache.put((Question(f"n{i}.example", "MX"), present(rdata=(f"10 mail{i}.example",))) for i in range(number))
    size = os.path.getsize(path)
    with DnsCache.open(path, view=VIEW, clock=clock) as cache:
        found = 0
        for start in range(0, number, 1_000):
            some = cache.lookup([f"n{i}.example" for i in range(start, start + 1_000)])
            found += sum(
                some[f"n{i}.example"]["MX"].rdata == (f"10 mail{i}.example",) for i in range(start, start + 1_000)
            )

        assert (len(cache), found, cache.damaged_rows, cache.warnings) == (number, number, 0, [])
    assert size < 200 << 20
