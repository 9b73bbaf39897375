"""Items D1 to D10: what a reply says, and packets that lie, by their numbers, through the real aiodns."""

import asyncio

import pytest

from tests.dns.engine_runs import BRIEF, ask, is_neither, pair, plain, single
from tests.dns.scripted_modes import BAD_FIRST, MODES, alias, first, reply
from tests.dns.scripted_packets import SAMPLES, name_wire, raw_record, rdata_wire, record
from tests.dns.scripted_server import closed_port, serving


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


@pytest.mark.parametrize("mode", ["pointer-loop", "pointer-forward"])
def test_d3_compression_tricks_are_malformed(runs, mode):
    """A loop, a pointer forward: tried again, then unknown."""
    run = runs[mode]

    assert [("unknown", "malformed")] * 2 == [plain(run.single["A"]), plain(run.pair["A"])]
    assert run.hits["A"] >= 2


def test_d3_a_chain_of_127_pointers_is_read_or_unknown(runs):
    """RFC 1035 section 4.1.4 allows it, dnspython refuses it, c-ares follows it: the record is the true one, or none."""
    answer = runs["pointer-chain"].single["A"]

    assert (str(answer.status), answer.rdata) in {("present", (SAMPLES["A"],)), ("unknown", ())}
    assert not is_neither(runs["pointer-chain"].pair)


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


@pytest.mark.parametrize("mode", ["wrong-id", "wrong-question", "no-question"])
def test_d7_packets_that_answer_something_else_are_ignored(runs, mode):
    """Another id, another question, none: nothing was learned from them."""
    run = runs[mode]

    assert {"unknown"} == {str(one.status) for one in (*run.single.values(), *run.pair.values())}
    assert () == run.single["A"].rdata


@pytest.mark.parametrize("mode", ["case-question", "case-owner"])
def test_d7_case_of_names_means_nothing(runs, mode):
    """We do not play 0x20: upper case in question or owner is the same name (RFC 4343)."""
    assert ("present", (SAMPLES["A"],)) == (runs[mode].single["A"].status, runs[mode].single["A"].rdata)


def test_d7_a_packet_that_is_no_reply_is_ignored(runs):
    """QR = 0 with the right id, port, question and even records: nothing was learned from it."""
    run = runs["not-a-reply"]

    assert {"unknown"} == {str(one.status) for one in (*run.single.values(), *run.pair.values())}
    assert () == run.single["A"].rdata


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


def test_servers_that_drop_edns_answer_what_is_short(server):
    """A, AAAA and MX are asked without EDNS; a TXT is long, asked with it, and then unknown at worst."""
    short = single(server.address, name="edns-drop.example", timeout=BRIEF)
    long = single(server.address, name="edns-drop.example", rdtype="TXT", timeout=BRIEF)

    assert ("present", (SAMPLES["A"],)) == (str(short.status), short.rdata)
    assert ("unknown", "timeout") == plain(long)
