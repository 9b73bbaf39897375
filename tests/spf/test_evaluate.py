"""The evaluator itself: inputs, what each status of an answer does, what is asked together, what is shared."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
import spf

from poolsift.dns.adapters import DictResolver
from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason, unknown
from poolsift.dns.judge import MAX_RECORDS
from poolsift.spf.evaluate import SpfOutcome, SpfResult, evaluate, evaluation
from tests.spf.zone import NOTHING, BatchedResolver, ask, zone

ONE = {"example.com": "v=spf1 ip4:192.0.2.1 -all"}


class TestInputs:
    @pytest.mark.parametrize(
        ("address", "raised"),
        [
            ("", AttributeError),
            ("not an address", spf.PermError),
            ("192.0.2.1/32", spf.PermError),
            ("192.0.2.01", spf.PermError),
            ("fe80::1%eth0", ValueError),
            ("list", AttributeError),
        ],
    )
    def test_what_crashes_pyspf_is_unknown_here(self, address, raised):
        """An address that cannot be read says nothing about the domain; no question is asked."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spf, "DNSLookup", lambda name, qtype, *_: [((name, qtype), (b"v=spf1 ip6:::/0 ptr -all",))])
            with pytest.raises(raised):
                spf.query(i=address, s="x@example.com", h="mail.example.org").check()
        found = ask(ONE, client_ip=address)

        assert found == SpfOutcome(SpfResult.TEMPERROR, f"client address not understood: {address!r}")

    @pytest.mark.parametrize("address", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201"])
    def test_a_mapped_address_is_its_ipv4_address(self, address):
        """The two are one client (RFC 7208 section 5)."""
        assert ask(ONE, client_ip=address).result == SpfResult.PASS

    @pytest.mark.parametrize("domain", ["example.com", "EXAMPLE.com", "example.com."])
    def test_the_domain_is_taken_in_its_canonical_form(self, domain):
        """Case and the final dot are no part of the name."""
        resolver = zone(ONE)

        assert ask(resolver, domain=domain).result == SpfResult.PASS
        assert resolver.asked == [Question("example.com", "TXT")]

    def test_a_domain_in_another_script_is_asked_for_by_its_a_label(self):
        """RFC 8616 section 4."""
        assert ask({"xn--bro-hoa.example": "v=spf1 +all"}, domain="büro.example").result == SpfResult.PASS

    @pytest.mark.parametrize("domain", ["localhost", "[192.0.2.1]", "192.0.2.1", "a..example", ".example", "x" * 64 + ".example", "a b.example"])  # fmt: skip
    def test_what_is_no_domain_name_has_no_result(self, domain):
        """`none`, and nobody is asked (RFC 7208 section 4.3)."""
        resolver = zone({domain: "v=spf1 +all"})

        assert ask(resolver, domain=domain) == SpfOutcome(SpfResult.NONE, f"not a domain name: {domain!r}")
        assert resolver.asked == []

    @pytest.mark.parametrize("null", [None, ""])
    def test_a_null_reverse_path_is_checked_by_the_helo_name(self, null):
        """As postmaster at that name (section 2.4), whatever local part was given."""
        records = {
            "mail.example.org": "v=spf1 exists:%{l}.%{o} -all",
            "postmaster.mail.example.org": {"A": ["127.0.0.2"]},
        }

        assert ask(records, domain=null, mail_from_local="other").result == SpfResult.PASS

    def test_without_any_domain_there_is_no_result(self):
        """Neither sender nor HELO."""
        assert ask(ONE, domain=None, helo=None).result == SpfResult.NONE

    @pytest.mark.parametrize(
        ("local", "name"), [('"a@b"', '"a@b".u.example'), ("a@b", "a@b.u.example"), ("Jo", "jo.u.example")]
    )
    def test_a_local_part_with_an_at_sign_does_not_change_the_domain(self, local, name):
        """pyspf alone would split at the first one."""
        records = {"example.com": "v=spf1 exists:%{l}.u.example -all", name: {"A": ["127.0.0.2"]}}

        assert ask(records, mail_from_local=local).result == SpfResult.PASS

    def test_a_fault_inside_pyspf_is_unknown(self):
        """Such as a local part that no encoding has: the run goes on."""
        found = ask({"example.com": "v=spf1 exists:%{L}.%{d} -all"}, mail_from_local="\ud800")

        assert found.result == SpfResult.TEMPERROR
        assert found.reason.startswith("pyspf failed: UnicodeEncodeError")


class TestAnswers:
    def test_the_reason_is_the_term_that_matched(self):
        """Of the sender's own record; without one it says so."""
        assert ask({"example.com": "v=spf1 ?all"}).reason == "?all"
        assert ask({"example.com": "v=spf1 ip4:198.51.100.1"}).reason == "no term matches"

    def test_a_reason_is_short_and_printable(self):
        """Domain owners write parts of it."""
        reason = ask({"example.com": "v=spf1 \x1b[31m" + "x" * 400}).reason

        assert (len(reason), reason.isprintable(), "\\x1b[31m" in reason) == (200, True, True)

    @pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.SERVFAIL, Reason.NOT_LISTED, Reason.ZONE_CAP])
    @pytest.mark.parametrize(
        ("record", "question"),
        [
            ("v=spf1 -all", ("example.com", "TXT")),
            ("v=spf1 a -all", ("example.com", "A")),
            ("v=spf1 mx -all", ("example.com", "MX")),
            ("v=spf1 exists:e.example -all", ("e.example", "A")),
            ("v=spf1 include:e.example -all", ("e.example", "TXT")),
            ("v=spf1 redirect=e.example", ("e.example", "TXT")),
            ("v=spf1 ptr -all", ("1.2.0.192.in-addr.arpa", "PTR")),
        ],
    )
    def test_an_unknown_answer_never_becomes_a_fail(self, record, question, reason):
        """Also for PTR, where section 5.5 would go on as if there were no name."""
        resolver = DictResolver(
            {("example.com", "TXT"): Answer(AnswerStatus.PRESENT, (record,)), question: unknown(reason)}, NOTHING
        )
        found = ask(resolver)

        assert (found.result, found.reason) == (SpfResult.TEMPERROR, f"{question[1]} of {question[0]}: {reason}")

    @pytest.mark.parametrize(
        ("rdtype", "form", "client_ip"),
        [("A", "198.51.100.{}", "192.0.2.1"), ("AAAA", "2001:db8::{}", "2001:db8::ffff")],
    )
    def test_an_answer_cut_at_the_most_records_kept_is_unknown(self, rdtype, form, client_ip):
        """The client may be among those that are lost."""
        rdata = [form.format(number) for number in range(MAX_RECORDS)]
        whole = {"example.com": {"TXT": ["v=spf1 a -all"], rdtype: rdata[1:]}}
        cut = {"example.com": {"TXT": ["v=spf1 a -all"], rdtype: rdata}}

        assert ask(whole, client_ip=client_ip).result == SpfResult.FAIL
        assert ask(cut, client_ip=client_ip).result == SpfResult.TEMPERROR

    def test_an_spf_record_is_found_among_any_number_of_texts(self):
        """Texts are never cut: large domains have a hundred of them."""
        texts = [f"verification-{number}" for number in range(2 * MAX_RECORDS)]

        assert ask({"example.com": {"TXT": texts}}).result == SpfResult.NONE
        assert ask({"example.com": {"TXT": [*texts, "v=spf1 +all"]}}).result == SpfResult.PASS

    def test_records_that_a_table_only_counts_are_unknown(self):
        """A table may say that there are some without saying which."""
        resolver = DictResolver({("example.com", "TXT"): Answer(AnswerStatus.PRESENT)}, NOTHING)

        assert (ask(resolver).result, ask(resolver).reason) == (
            "temperror",
            "TXT of example.com: the records are not listed",
        )

    @pytest.mark.parametrize(
        ("reason", "expected"), [(Reason.SPECIAL_USE, "fail"), (Reason.LITERAL, "fail"), (Reason.SYNTAX, "temperror")]
    )
    def test_a_name_that_is_not_asked_is_absent_only_where_it_cannot_exist(self, reason, expected):
        """Macros make names that our layer refuses for their characters, while the DNS may have them."""
        answers = {
            ("example.com", "TXT"): Answer(AnswerStatus.PRESENT, ("v=spf1 exists:%{l}.e.example -all",)),
            ("a/b.e.example", "A"): Answer(AnswerStatus.INVALID, reason=reason),
        }

        assert ask(DictResolver(answers, NOTHING), mail_from_local="a/b").result == expected

    def test_no_record_is_no_result(self):
        """Absent, the one thing that counts as none."""
        assert ask({}) == SpfOutcome(SpfResult.NONE, "no SPF record", lookups=0, voids=1, queries=1)


class TestWhatIsAsked:
    def test_hosts_of_one_mx_are_asked_for_together(self):
        """All of them count, so none of the questions is too many."""
        records = {"example.com": {"TXT": ["v=spf1 mx -all"], "MX": ["10 b.example", "20 a.example", "30 ."]}}
        resolver = BatchedResolver(records)
        ask(resolver)

        assert resolver.batches[2:] == [[("b.example", "A"), ("a.example", "A")]]
        assert len(resolver.batches) == 3

    def test_hosts_of_one_ptr_are_asked_for_together(self):
        """The name of the client leads to two, and each must lead back."""
        ptr = "1.2.0.192.in-addr.arpa"
        resolver = BatchedResolver({"example.com": "v=spf1 ptr -all", ptr: {"PTR": ["a.example", "b.example"]}})
        ask(resolver)

        assert resolver.batches[2:] == [[("a.example", "A"), ("b.example", "A")]]

    def test_an_ipv6_client_asks_for_ipv6_addresses(self):
        """And its PTR name is by nibbles."""
        ptr = ".".join("1000000000000000000000008bd01002") + ".ip6.arpa"
        records = {
            "example.com": "v=spf1 ptr -all",
            ptr: {"PTR": ["a.example.com"]},
            "a.example.com": {"AAAA": ["2001:db8::1"]},
        }
        resolver = BatchedResolver(records)

        assert ask(resolver, client_ip="2001:db8::1").result == SpfResult.PASS
        assert resolver.asked == [("example.com", "TXT"), (ptr, "PTR"), ("a.example.com", "AAAA")]

    def test_terms_after_a_match_and_explanations_are_not_asked_for(self):
        """They change no result."""
        record = "v=spf1 a:a.example include:b.example mx:c.example exp=d.example redirect=e.example"
        resolver = BatchedResolver({"example.com": record, "a.example": {"A": ["192.0.2.1"]}})

        assert ask(resolver).result == SpfResult.PASS
        assert resolver.asked == [("example.com", "TXT"), ("a.example", "A")]

    def test_explanations_are_not_evaluated(self, monkeypatch):
        """pyspf would, for every record on the way."""
        explained = []
        monkeypatch.setattr(spf.query, "get_explanation", lambda query, name: explained.append(name))
        found = ask({"example.com": "v=spf1 exp=e.example -all", "e.example": {"TXT": ["%{p} is not allowed"]}})

        assert (found.result, explained) == (SpfResult.FAIL, [])

    def test_with_no_time_left_nothing_is_asked(self):
        """The clock is an argument."""
        times = iter([100.0, 119.9, 120.0])
        resolver = zone({"example.com": "v=spf1 a -all"})
        found = ask(resolver, clock=lambda: next(times))

        assert (found.result, found.queries, len(resolver.asked)) == (SpfResult.TEMPERROR, 1, 1)

    def test_a_cancelled_evaluation_ends(self):
        """It is not taken for the end of its time."""

        async def cancelled():
            task = asyncio.create_task(evaluate("192.0.2.1", "example.com", None, BatchedResolver({}, seconds=3600)))
            await asyncio.sleep(0)
            task.cancel()
            return await asyncio.gather(task, return_exceptions=True)

        assert isinstance(asyncio.run(cancelled())[0], asyncio.CancelledError)


class TestQuestionGenerator:
    """Whoever has answers drives the evaluation; nothing in it waits."""

    def test_it_asks_in_steps_and_ends_with_the_outcome(self):
        """One list of questions after the other, one answer each."""
        asking = evaluation("192.0.2.1", "example.com", None)

        assert next(asking) == [Question("example.com", "TXT")]
        assert asking.send([Answer(AnswerStatus.PRESENT, ("v=spf1 a -all",))]) == [Question("example.com", "A")]
        with pytest.raises(StopIteration) as end:
            asking.send([Answer(AnswerStatus.PRESENT, ("192.0.2.1",))])
        assert end.value.value == SpfOutcome(SpfResult.PASS, "a", lookups=1, voids=0, queries=2)

    def test_no_time_left_is_thrown_in(self):
        """The outcome is unknown, with the counts so far."""
        asking = evaluation("192.0.2.1", "example.com", None)
        next(asking)
        asking.send([Answer(AnswerStatus.PRESENT, ("v=spf1 a -all",))])
        with pytest.raises(StopIteration) as end:
            asking.throw(TimeoutError("no result within 5 s"))

        assert end.value.value == SpfOutcome(SpfResult.TEMPERROR, "timeout: no result within 5 s", lookups=1, queries=1)


class TestNothingIsShared:
    def test_pyspf_asks_nobody_and_keeps_its_hook(self, monkeypatch):
        """Whoever else uses pyspf in this process is not touched."""
        asked = []
        monkeypatch.setattr(spf, "DNSLookup", lambda *question: asked.append(question) or [])
        hook = spf.DNSLookup
        records = {"example.com": "v=spf1 a mx ptr exists:%{p}.e.example include:b.example exp=x.example -all"}

        assert ask(records | {"b.example": "v=spf1 mx -all"}).result == SpfResult.PERMERROR
        assert (asked, spf.DNSLookup) == ([], hook)

    @staticmethod
    def many(numbers):
        """Outcomes of evaluations under way at the same time, each over a zone of its own."""

        async def run():
            resolvers = [
                BatchedResolver(
                    {"example.com": f"v=spf1 a:h.example ip4:192.0.2.{n} -all", "h.example": {"A": ["198.51.100.1"]}}
                )
                for n in numbers
            ]
            return await asyncio.gather(*(evaluate("192.0.2.7", "example.com", None, each) for each in resolvers))

        return [str(found.result) for found in asyncio.run(run())]

    def test_evaluations_at_the_same_time_do_not_mix(self):
        """In one loop and in several threads."""
        expected = ["pass" if n == 7 else "fail" for n in range(40)]
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(self.many, [range(40)] * 8))

        assert found == [expected] * 8
