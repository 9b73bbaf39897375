"""Items D1 to D18 and D22 of the faults that a resolver meets, by their numbers, through the real aiodns."""

import asyncio
import re

import pytest

from tests.dns.engine_runs import BRIEF, ask, engine, inquire, is_neither, pair, plain, single
from tests.dns.scripted_modes import BAD_FIRST, MODES, alias, first, reply
from tests.dns.scripted_packets import SAMPLES, name_wire, raw_record, rdata_wire, record, sample
from tests.dns.scripted_server import closed_port, serving

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


@pytest.mark.parametrize(("mode", "reason"), [("nxdomain", "nxdomain"), ("nodata", "nodata")])
def test_d1_nxdomain_and_nodata_are_absent(runs, mode, reason):
    """Seen twice, with the SOA's TTL and minimum as their time to live."""
    answers = runs[mode].pair

    assert [("absent", reason)] * 2 == [plain(answers["A"]), plain(answers["MX"])]
    assert answers["A"].ttl == answers["MX"].ttl == 600
    assert is_neither(answers)


def test_d1_nxdomain_of_one_type_settles_both():
    """The second query asks for the other type, and no third is needed (RFC 8020)."""
    with serving() as server:
        answers = pair(server.address, name="nxdomain.example")

    assert is_neither(answers)
    assert [1, 1] == [server.asked("nxdomain.example", rdtype) for rdtype in ("A", "MX")]
    assert server.total == 2


@pytest.mark.parametrize("bad", ["servfail", "refused", "formerr", "notimp", "drop"])
def test_d2_a_failure_is_retried_elsewhere(bad):
    """With two resolvers of which one fails, the other's answer counts, whichever comes first."""
    with serving({"contoso.com": bad}) as failing, serving({"contoso.com": "ok"}) as good:
        for addresses in [(failing.address, good.address), (good.address, failing.address)]:
            answer = single(*addresses, name="contoso.com", timeout=BRIEF)

            assert answer.status == "present"
            assert answer.rdata == (SAMPLES["A"],)
    assert failing.asked("contoso.com") >= 1


@pytest.mark.parametrize("bad", ["servfail", "refused", "formerr", "notimp", "drop"])
def test_d2_where_everybody_fails_it_is_unknown(bad):
    """Both were asked."""
    with serving({"contoso.com": bad}) as one, serving({"contoso.com": bad}) as other:
        answer = single(one.address, other.address, name="contoso.com", timeout=BRIEF)

    assert answer.status == "unknown"
    assert min(one.asked("contoso.com"), other.asked("contoso.com")) >= 1


@pytest.mark.parametrize("mode", ["pointer-loop", "pointer-forward", "pointer-chain"])
def test_d3_compression_tricks_are_malformed(runs, mode):
    """A loop, a pointer forward, 127 pointers in a row: tried again, then unknown."""
    run = runs[mode]

    assert [("unknown", "malformed")] * 2 == [plain(run.single["A"]), plain(run.pair["A"])]
    assert run.hits["A"] >= 2


@pytest.mark.parametrize("mode", ["counts", "bad-length", "three-bytes", "garbage"])
def test_d4_packets_that_lie_about_lengths_are_malformed(runs, mode):
    """Counts of 65,535, an RDLENGTH past the end, an A of three bytes, noise: tried again, then unknown."""
    run = runs[mode]

    assert [("unknown", "malformed")] * 2 == [plain(run.single["A"]), plain(run.pair["A"])]
    assert run.hits["A"] >= 2


@pytest.mark.parametrize("mode", ["empty-packet", "short", "oversized"])
def test_d5_packets_of_impossible_size_are_unknown(runs, mode):
    """0 bytes, 5 bytes, 64,000 bytes: as if nothing had come, tried again."""
    run = runs[mode]

    assert {"unknown"} == {str(one.status) for one in (*run.single.values(), *run.pair.values())}
    assert run.hits["A"] >= 2


@pytest.mark.parametrize("bad", BAD_FIRST)
def test_d6_a_good_packet_after_a_bad_one_is_used(runs, bad):
    """Somebody who throws in a packet first cannot spoil the answer."""
    run = runs[f"{bad}-then-good"]

    assert ("present", (SAMPLES["A"],)) == (run.single["A"].status, run.single["A"].rdata)
    assert run.pair["MX"].status == "present"


@pytest.mark.parametrize("mode", ["wrong-id", "wrong-question", "no-question", "not-a-reply"])
def test_d7_packets_that_answer_something_else_are_ignored(runs, mode):
    """Another id, another question, none, or no reply at all (QR = 0): nothing was learned from them."""
    run = runs[mode]

    assert {"unknown"} == {str(one.status) for one in (*run.single.values(), *run.pair.values())}
    assert () == run.single["A"].rdata


@pytest.mark.parametrize("mode", ["case-question", "case-owner"])
def test_d7_case_of_names_means_nothing(runs, mode):
    """We do not play 0x20: upper case in question or owner is the same name (RFC 4343)."""
    assert ("present", (SAMPLES["A"],)) == (runs[mode].single["A"].status, runs[mode].single["A"].rdata)


def test_d7_a_query_sent_back_makes_no_absence(server):
    """NXDOMAIN with QR = 0 never counts as neither A nor MX."""
    server.always = lambda query: reply(query, rcode=3, flags=0x0580)

    assert not is_neither(pair(server.address, name="contoso.com", timeout=BRIEF))


def test_d8_records_of_another_owner_do_not_count(runs, server):
    """Alone they are nothing; beside the right one they are left out."""
    server.script["contoso.com"] = lambda query: reply(
        query, [record("other.example", "A", "192.0.2.66"), record("contoso.com", "A", "192.0.2.7")]
    )

    assert ("192.0.2.7",) == single(server.address, name="contoso.com").rdata
    assert ("unknown", "mismatch") == plain(runs["other-owner"].single["A"])


def test_d9_records_of_another_type_or_class_do_not_count(runs, server):
    """A TXT in reply to A, an A of class CH: alone nothing, beside the right one left out."""
    chaos = raw_record(name_wire("contoso.com"), "A", rdata_wire("A", "192.0.2.66"), rdclass=3)
    server.script["contoso.com"] = lambda query: reply(
        query, [record("contoso.com", "TXT", SAMPLES["TXT"]), chaos, record("contoso.com", "A", "192.0.2.7")]
    )

    assert ("192.0.2.7",) == single(server.address, name="contoso.com").rdata
    assert {"unknown"} == {str(runs[mode].single["A"].status) for mode in ("other-type", "other-class")}


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("cname-loop", "cname_loop"),
        ("cname-self", "cname_loop"),
        ("chain-11", "cname_limit"),
        ("chased", "cname_limit"),
    ],
)
def test_d10_aliases_without_end_are_unknown(runs, mode, reason):
    """A loop, or more than ten in a row, in one reply or one a reply."""
    assert [("unknown", reason)] * 2 == [plain(runs[mode].pair["A"]), plain(runs[mode].pair["MX"])]


def test_d10_a_loop_of_single_aliases_is_seen(server):
    """Two names that point to one another, each reply holding one alias."""
    server.script = {"contoso.com": alias("fabrikam.com"), "fabrikam.com": alias("contoso.com")}

    assert ("unknown", "cname_loop") == plain(single(server.address, name="contoso.com"))
    assert server.total <= 2 * 11


@pytest.mark.parametrize(("links", "outcome"), [(10, ("present", None)), (11, ("unknown", "cname_limit"))])
def test_d10_ten_aliases_are_followed_by_asking(server, links, outcome):
    """Ten, one a reply, lead to the address; eleven lead nowhere."""
    hops = ["contoso.com", *(f"hop{n}.example" for n in range(1, links + 1))]
    server.script = {one: alias(other) for one, other in zip(hops, hops[1:], strict=False)}
    server.script[hops[-1]] = lambda query: reply(query, [record(query.name, "A", "11.22.33.44")])

    assert outcome == plain(single(server.address, name="contoso.com"))
    assert server.asked("contoso.com") >= 1


def test_d10_an_alias_of_nothing_is_absent(runs):
    """The target does not exist, so there is neither A nor MX."""
    assert is_neither(runs["cname-nxdomain"].pair)


def test_d10_dname_leads_to_the_address(runs):
    """The alias that the server made of the DNAME is followed like any other."""
    assert ("present", (SAMPLES["A"],)) == (runs["dname"].single["A"].status, runs["dname"].single["A"].rdata)


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


def test_d2_a_closed_port_is_unknown():
    """Nobody listens: the connection is refused, at once, and that says nothing of the name."""
    with closed_port() as address:
        answers = pair(address, name="contoso.com", timeout=BRIEF)

    assert {("unknown", "connection")} == set(map(plain, answers.values()))


def test_d6_a_bad_packet_to_the_first_query_is_made_good_by_the_second(server):
    """The retry reaches the server and its answer counts."""
    for bad in ("garbage", "short", "counts", "three-bytes", "pointer-loop"):
        server.script[f"{bad}.first.example"] = first(1, MODES[bad])
    names = sorted(server.script)
    answers = asyncio.run(ask(server.address, questions=[(name, "A") for name in names], timeout=BRIEF))

    assert ["present"] * len(names) == [str(answer.status) for answer in answers]
    assert [2] * len(names) == [server.asked(name) for name in names]
