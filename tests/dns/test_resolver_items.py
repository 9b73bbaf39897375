"""Items D11 to D18 and D22: odd records, sizes, made-up answers and names never asked, through the real aiodns."""

import asyncio
import re

import pytest

from tests.dns.engine_runs import BRIEF, ask, engine, inquire, is_neither, pair, plain, single
from tests.dns.scripted_modes import MODES, reply
from tests.dns.scripted_packets import SAMPLES, record, sample
from tests.dns.scripted_server import serving

MOST_RECORDS = 64
ODD_HOSTS = {
    "mx-ip": "10 192.0.2.25",
    "mx-missing": "10 nxdomain.target.example",
    "mx-tag": "10 <b>.example.com",
    "mx-nul": r"10 a\000b.example.com",
    "mx-newline": r"10 a\010b.example.com",
    "mx-comma": "10 a,b.example.com",
    "mx-dot": r"10 a\.b.example.com",
    "mx-quote": r"10 a\"\;\\b.example.com",
}
NEVER_ASKED = {
    ".".join("a" * 501): "syntax",
    "a..example": "syntax",
    ".example": "syntax",
    "": "syntax",
    ".": "syntax",
    "*.example": "syntax",
    "a b.example": "syntax",
    "a\n.example": "syntax",
    "a\0.example": "syntax",
    f"{'a' * 64}.example": "syntax",
    ".".join(["a" * 63] * 4): "syntax",
    "☃.example": "syntax",
    "a@b.example": "syntax",
    "192.0.2.1": "literal",
    "[192.0.2.1]": "literal",
    "2001:db8::1": "literal",
    "_x": "single_label",
    "mailhost": "single_label",
    "printer.local": "special_use",
    "a.localhost": "special_use",
    "a.invalid": "special_use",
    "a.test": "special_use",
    "a.onion": "special_use",
    "a.alt": "special_use",
    "a.internal": "special_use",
    "a.home.arpa": "special_use",
}


def test_d11_a_null_mx_is_an_mx(runs):
    """Present, so the name has an MX, and recognizable (RFC 7505)."""
    answer = runs["null-mx"].pair["MX"]

    assert ("present", ("0 .",)) == (answer.status, answer.rdata)
    assert answer.is_null_mx
    assert not runs["ok"].pair["MX"].is_null_mx


@pytest.mark.parametrize("mode", ODD_HOSTS)
def test_d12_odd_hosts_are_an_mx_with_their_text_escaped(runs, mode):
    """An address as name, a missing host, markup, NUL, newline, comma, a dot inside a label (RFC 1035 section 5.1)."""
    answer = runs[mode].pair["MX"]

    assert ("present", (ODD_HOSTS[mode],)) == (answer.status, answer.rdata)
    assert re.fullmatch(r"[ -~]+", answer.rdata[0])


@pytest.mark.parametrize("mode", [mode for mode in ODD_HOSTS if mode != "mx-ip"])
def test_d12_aliases_and_owners_with_odd_labels_are_no_trap(server, mode):
    """The same labels as the target of an alias: followed or unknown, but no crash and no absence."""
    host = ODD_HOSTS[mode].removeprefix("10 ")
    server.script["contoso.com"] = lambda query: reply(
        query, [record("contoso.com", "CNAME", f"{host}."), sample(query, owner=f"{host}.")]
    )

    assert single(server.address, name="contoso.com").status in {"present", "unknown"}


def test_d13_aaaa_alone_is_neither_a_nor_mx(runs):
    """Absent by the letter, and the AAAA is known so that it can be marked."""
    answers = runs["aaaa-only"].pair

    assert is_neither(answers)
    assert ("present", (SAMPLES["AAAA"],)) == (answers["AAAA"].status, answers["AAAA"].rdata)


@pytest.mark.parametrize(
    ("ttl", "kept"),
    [
        (0, 30),
        (1, 30),
        (31, 31),
        (300, 300),
        (86_400, 86_400),
        (86_401, 86_400),
        (2**31 - 1, 86_400),
        (2**31, 30),
        (2**32 - 1, 30),
    ],
)
def test_d14_times_to_live_are_clamped(server, ttl, kept):
    """Half a minute to a day; with the highest bit set a TTL is 0 (RFC 2181 section 8)."""
    answers = asyncio.run(ask(server.address, questions=[(f"ttl-{ttl}.example", "A"), (f"ttl-{ttl}.example", "MX")]))

    assert [kept, kept] == [answer.ttl for answer in answers]


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        ("soa-minimum", 61),
        ("soa-short", 30),
        ("soa-day", 10_800),
        ("nodata-no-soa", 0),
        ("nxdomain-no-soa", 0),
        ("nodata", 600),
    ],
)
def test_d14_absences_live_as_long_as_their_soa_says(runs, mode, kept):
    """The smaller of TTL and minimum, at most three hours; without SOA they are not kept (RFC 2308 section 5)."""
    assert [kept, kept] == [runs[mode].pair[rdtype].ttl for rdtype in ("A", "MX")]


@pytest.mark.parametrize("mode", ["tc-hang", "tc-reset", "tc-close", "tc-early", "tc-length-0", "tc-drip"])
def test_d15_tcp_is_tried_and_its_failure_is_unknown(mode):
    """Hangs, resets, closes at once or in the middle, sends nothing, or a byte at a time."""
    with serving() as server:
        answer = single(server.address, name=f"{mode}.example", timeout=BRIEF)

    assert answer.status == "unknown"
    assert 1 <= server.asked(f"{mode}.example", "A", "tcp") <= 2
    assert server.total <= 4


def test_d15_tcp_that_works_is_used(runs):
    """TC, then the records."""
    assert ("present", (SAMPLES["A"],)) == (runs["tc"].single["A"].status, runs["tc"].single["A"].rdata)


@pytest.mark.parametrize(("mode", "count"), [("tc-250", 250), ("tc-600", 600), ("tc-4000", 4000)])
def test_d16_of_many_records_a_bounded_number_is_kept(runs, mode, count):
    """64 of them, distinct, in order, of those that were sent."""
    rdata = runs[mode].single["A"].rdata
    sent = {f"11.22.{n >> 8}.{n & 255}" for n in range(count)}

    assert len(rdata) == MOST_RECORDS
    assert list(rdata) == sorted(set(rdata))
    assert set(rdata) <= sent
    assert len(runs[mode].pair["MX"].rdata) == MOST_RECORDS


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("loopback", "unroutable"), ("private", "unroutable"), ("zero", "unroutable"), ("mixed", None), ("public", None)],
)
def test_d17_addresses_that_lead_nowhere_exist_and_are_marked(runs, mode, reason):
    """They count as A records; the mark is only there where every address is of this kind."""
    assert ("present", reason) == plain(runs[mode].pair["A"])


def test_d18_a_resolver_that_makes_answers_up_is_found_out():
    """It is named in a warning, and its invented address is neither a presence nor an absence."""
    with serving({"contoso.com": "a-only"}, default="public") as server:
        names = ["gone.example", "contoso.com", "lost.example"]
        warnings, found = asyncio.run(probed(server.address, names=names))

    assert any(server.address in warning for warning in warnings)
    assert ("unknown", "hijacked") == plain(found["gone.example"]["A"])
    assert ("unknown", "hijacked") == plain(found["lost.example"]["A"])
    assert (SAMPLES["A"],) == found["contoso.com"]["A"].rdata
    assert [] == [name for name in names if is_neither(found[name])]


async def probed(*addresses, names):
    """What an engine warns of after its probe, and what its inquiries come to."""
    async with engine(*addresses, probe=True) as running:
        found = {name: answers async for name, answers in running.inquire(names)}
        return list(running.warnings), found


@pytest.mark.parametrize("default", ["nxdomain", "nxdomain-no-soa", "nodata", "servfail", "refused"])
def test_d18_other_resolvers_are_not_accused_of_inventing(default):
    """NXDOMAIN, NODATA or a failure for a random name is no made-up address: nothing is called hijacked."""
    with serving(default=default) as server:
        warnings, found = asyncio.run(probed(server.address, names=["ok.example", "public.example"]))

    assert ["present", "present"] == [str(found["ok.example"]["MX"].status), str(found["public.example"]["A"].status)]
    assert default != "nxdomain" or warnings == []


def test_d18_a_wildcard_zone_is_a_zone(server):
    """Every name below it is there; the resolver only passes on what the zone says."""

    def zone(query):
        return MODES["public" if query.name.endswith(".wild.example") else "nxdomain"](query)

    server.default = zone
    names = [f"n{n}.wild.example" for n in range(20)]
    warnings, found = asyncio.run(probed(server.address, names=names))

    assert warnings == []
    assert [("present", None)] * 20 == [plain(found[name]["A"]) for name in names]


def test_d18_one_liar_of_two_does_not_decide():
    """The invented address is never taken for a presence, whoever was asked first."""
    with serving(default="public") as liar, serving() as honest:
        for addresses in [(liar.address, honest.address), (honest.address, liar.address)]:
            warnings, found = asyncio.run(probed(*addresses, names=[f"gone{n}.example" for n in range(10)]))

            assert any(liar.address in warning for warning in warnings)
            assert not any(honest.address in warning for warning in warnings)
            assert [] == [name for name, answers in found.items() if answers["A"].status == "present"]


@pytest.mark.parametrize("need", ["verdict", "full", "addresses"])
def test_d22_names_that_cannot_exist_send_no_packet(server, need):
    """Syntax, literals, single labels and special-use names: invalid, with the reason, before any socket."""
    found = asyncio.run(inquire(server.address, names=list(NEVER_ASKED), need=need))

    assert {name: {("invalid", reason)} for name, reason in NEVER_ASKED.items()} == {
        name: set(map(plain, answers.values())) for name, answers in found.items()
    }
    assert all(len(answers) == 2 for answers in found.values())
    assert server.total == 0
    assert server.unreadable == 0


def test_d22_single_questions_about_them_send_no_packet(server):
    """The same through resolve, for every type, in order."""
    questions = [(name, rdtype) for name in NEVER_ASKED for rdtype in ("A", "MX", "TXT", "AAAA")]
    answers = asyncio.run(ask(server.address, questions=questions))

    assert [("invalid", NEVER_ASKED[name]) for name, _ in questions] == [plain(answer) for answer in answers]
    assert server.total == 0


def test_d22_underscores_inside_a_name_are_asked(server):
    """`_x.example` may exist; nothing is completed or cut."""
    server.script["_x.example"] = "ok"

    assert "present" == pair(server.address, name="_x.example")["MX"].status
    assert {"_x.example"} == server.names()


def test_answers_keep_the_order_of_the_questions(server):
    """Each in its place, twice the same question twice."""
    questions = [
        ("servfail.example", "A"),
        ("ok.example", "TXT"),
        ("nodata.example", "MX"),
        ("ok.example", "A"),
        ("ok.example", "TXT"),
    ]
    answers = asyncio.run(ask(server.address, questions=questions))

    assert ["unknown", "present", "absent", "present", "present"] == [str(answer.status) for answer in answers]
    assert ("v=spf1 -all",) == answers[1].rdata == answers[4].rdata
