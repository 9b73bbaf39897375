"""Every measured failure has the outcome it is owed, through the real aiodns: has, none or unknown, and never the wrong one."""

import asyncio

import pytest

from poolsift.dns.answers import Question
from tests.dns.engine_runs import BRIEF, PATIENT, ask, engine, inquire, is_neither, plain, some_at_a_time
from tests.dns.scripted_modes import MODES
from tests.dns.scripted_server import serving
from tests.dns.section5 import HAS, LAME, NONE, RETRIED, SILENT, UNKNOWN

# Packets of one question: two attempts, each of which may fall back once, to TCP or to plain DNS.
MOST_PACKETS = 4
# An inquiry asks MX and A, each confirmed once, and AAAA.
MOST_PACKETS_OF_A_NAME = 5 * MOST_PACKETS

# A mode for each reason, and all the ways of being lame.
DOUBTS = ("servfail", "drop", "garbage", "other-owner", "cname-loop", "tc-close", "notauth", "wrong-question", *LAME)


def test_every_mode_has_its_outcome():
    """No mode is left out of the table; those missing here belong to one type or to one item."""
    told = {*HAS, *NONE, *UNKNOWN, *LAME}
    own_tests = {mode for mode in MODES if mode.startswith("mx-") or mode.endswith("-then-good")}
    own_tests |= {"null-mx", "a-only", "public", "loopback", "private", "zero", "mixed", "pointer-chain", "not-a-reply"}

    assert set(MODES) <= told | own_tests


@pytest.mark.parametrize("mode", HAS)
def test_records_are_has(runs, mode):
    """Both types are present, and for the verdict MX alone was asked."""
    run = runs[mode]

    assert ("present", "present") == (run.single["A"].status, run.single["MX"].status)
    assert {"MX": "present"} == {rdtype: str(answer.status) for rdtype, answer in run.pair.items()}
    assert run.single["MX"].reason is None


@pytest.mark.parametrize("mode", NONE)
def test_absences_are_none_when_seen_twice(runs, mode):
    """The pair is absent, for the right reason, and confirmed."""
    pair = runs[mode].pair

    assert [("absent", NONE[mode])] * 2 == [plain(pair["A"]), plain(pair["MX"])]
    assert pair["A"].confirmed
    assert pair["MX"].confirmed
    assert runs[mode].hits["pair"] >= 2


@pytest.mark.parametrize("mode", NONE)
def test_a_single_question_tells_an_absence_but_does_not_confirm_it(runs, mode):
    """One look is one look."""
    for answer in runs[mode].single.values():
        assert plain(answer) == ("absent", NONE[mode])
        assert not answer.confirmed


@pytest.mark.parametrize("mode", UNKNOWN)
def test_failures_are_unknown_with_their_reason(runs, mode):
    """For a single question of either type and for a name's inquiry; nothing is kept longer than five minutes."""
    for answer in [*runs[mode].single.values(), runs[mode].pair["A"], runs[mode].pair["MX"]]:
        status, reason = plain(answer)

        assert status == "unknown"
        assert reason in UNKNOWN[mode]
        assert answer.rdata == ()
        assert answer.ttl is None or answer.ttl <= 300


@pytest.mark.parametrize("mode", RETRIED)
def test_failures_are_asked_again_at_the_server(runs, mode):
    """A retry is a packet: no cache in between answers it."""
    assert runs[mode].hits["A"] >= 2
    assert runs[mode].hits["MX"] >= 2


@pytest.mark.parametrize("mode", [*HAS, *NONE, *UNKNOWN, *LAME])
def test_packets_are_bounded(runs, mode):
    """Whatever a server does, a question costs two attempts and no more."""
    hits = runs[mode].hits

    assert max(hits["A"], hits["MX"]) <= MOST_PACKETS
    assert hits["pair"] <= MOST_PACKETS_OF_A_NAME


@pytest.mark.parametrize("mode", LAME)
def test_lame_servers_are_unknown(runs, mode):
    """Neither AA nor RA, or a referral: nobody said that there is nothing."""
    pair = runs[mode].pair

    assert [("unknown", "lame")] * 2 == [plain(pair["A"]), plain(pair["MX"])]
    assert not any(answer.confirmed for answer in runs[mode].single.values())


def test_only_absences_ever_make_neither_a_nor_mx(runs):
    """All modes but the absences, for A and MX at once: not one of them comes out as absent and absent."""
    wrong = [mode for mode, run in runs.items() if mode not in NONE and is_neither(run.pair)]

    assert [] == wrong
    assert len(runs) > len(NONE) + 70


def test_one_doubtful_type_is_enough_to_be_unknown():
    """MX honestly absent and A in doubt, the other way round, the name gone and A in doubt, or doubt at the second look."""
    shapes = {
        "a-in-doubt": lambda doubt: {"MX": "nodata", "A": doubt},
        "mx-in-doubt": lambda doubt: {"MX": doubt, "A": "nodata"},
        "gone-but": lambda doubt: {"MX": "nxdomain", "A": doubt},
        "second-look": lambda doubt: {"MX": ["nodata", doubt], "A": ["nodata", doubt]},
    }
    names = {f"{shape}.{doubt}.example": (shape, doubt) for shape in shapes for doubt in DOUBTS}
    script = {}
    for name, (shape, doubt) in names.items():
        script |= {(name, rdtype): step for rdtype, step in shapes[shape](doubt).items()}

    with serving(script) as server:
        jobs = [inquire(server.address, names=[name], timeout=BRIEF) for name in names]
        found = dict(zip(names, asyncio.run(some_at_a_time(jobs)), strict=True))
    found = {name: answers[name] for name, answers in found.items()}

    assert [] == [name for name, answers in found.items() if is_neither(answers)]
    assert all("unknown" in {one.status for one in answers.values()} for answers in found.values())


def is_present(answers):
    return any(one.status == "present" for one in answers.values())


async def before_and_after(server, mode):
    """What an inquiry comes to while the server misbehaves and, on the same engine, when it is well again."""
    name = f"{mode}.healed.example"
    async with engine(server.address, timeout=BRIEF if mode in SILENT else PATIENT) as running:
        server.script[name] = mode
        before = [answers async for _, answers in running.inquire([name])]
        server.script[name] = "ok"
        after = [answers async for _, answers in running.inquire([name])]
    return [*map(is_present, before), *map(is_present, after)]


def test_a_healed_server_is_believed_on_the_same_engine(server):
    """What c-ares kept of the bad times is not the verdict of the good ones."""
    modes = ["lame", "lame-empty", "referral", "nodata-no-soa", "notauth", "servfail", "drop", "garbage", "tc-close"]
    found = asyncio.run(some_at_a_time(before_and_after(server, mode) for mode in modes))

    assert dict.fromkeys(modes, [False, True]) == dict(zip(modes, found, strict=True))


async def counts_of_two_questions(server, mode):
    """How often the server was asked by the first and by both of two equal questions on one engine."""
    name, counts = f"{mode}.twice.example", []
    async with engine(server.address, timeout=BRIEF if mode in SILENT else PATIENT) as running:
        for _ in range(2):
            await running.resolve([Question(name, "A")])
            counts.append(server.asked(name, "A"))
    return counts


def test_what_was_not_learned_is_asked_again(server):
    """The second time the same question reaches the server, on the same engine."""
    modes = ["servfail", "refused", "formerr", "notimp", "notauth", "drop", "garbage", "tc-close", "nxdomain-no-soa"]
    counts = asyncio.run(some_at_a_time(counts_of_two_questions(server, mode) for mode in modes))

    assert [] == [mode for mode, (once, twice) in zip(modes, counts, strict=True) if not 0 < once < twice]


def test_tcp_that_is_refused_after_tc_is_unknown():
    """TC alone proves nothing: without the TCP answer the question stays open."""
    with serving(tcp=False) as server:
        answers = asyncio.run(ask(server.address, questions=[("tc.example", "A"), ("tc.example", "MX")]))
        found = asyncio.run(inquire(server.address, names=["tc.pair.example"]))["tc.pair.example"]

    assert [("unknown", "connection")] * 4 == [plain(one) for one in (*answers, found["A"], found["MX"])]
    assert 2 <= server.asked("tc.example", "A") <= MOST_PACKETS
