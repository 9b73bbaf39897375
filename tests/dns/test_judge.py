"""What a reply says: owner, aliases, type, class, TTLs; every kind of reply once, then compared with the slow twin."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.dns.answers import Answer, AnswerStatus, Question, Reason
from poolsift.dns.judge import Record, Reply, clamp_ttl, judge, sane_ttl, text_of
from tests.reference.dns_judgement import judged

NOW = datetime(2026, 3, 2, tzinfo=UTC)
A = Question("contoso.com", "A")
MX = Question("contoso.com", "MX")
#: Documentation addresses lead nowhere; this one is of a public resolver.
ROUTED = "9.9.9.9"


def record(rdata=ROUTED, owner="contoso.com", rdtype="A", ttl=300, in_class=True):
    return Record(owner, rdtype, in_class, ttl, rdata)


def alias(owner, target, ttl=300):
    return Record(owner, "CNAME", True, ttl, target)


def said(question, *records, negative_ttl=None):
    return judge(question, Reply("answer", records, negative_ttl), NOW)


class TestRecords:
    def test_records_of_name_and_type_are_present(self):
        """Sorted, each once, kept as long as the shortest TTL."""
        judgement = said(
            MX,
            *(
                record(text, rdtype="MX", ttl=ttl)
                for text, ttl in (("20 b.example", 60), ("10 a.example", 90), ("20 b.example", 60))
            ),
        )

        assert judgement == (Answer(AnswerStatus.PRESENT, ("10 a.example", "20 b.example"), 60, None, NOW), None)

    @pytest.mark.parametrize(
        "stray",
        [
            record(owner="elsewhere.example"),
            record("v=spf1 -all", rdtype="TXT"),
            record(in_class=False),
            record(owner="www.contoso.com"),
        ],
        ids=["owner", "type", "class", "below"],
    )
    def test_records_that_are_not_asked_for_do_not_count(self, stray):
        """They prove neither presence nor absence; beside good records they are passed over."""
        good = record("198.51.100.8")

        assert said(A, stray).answer == Answer(AnswerStatus.UNKNOWN, reason=Reason.MISMATCH, asked_at=NOW)
        assert said(A, stray, good).answer.rdata == ("198.51.100.8",)

    def test_success_without_records_proves_nothing(self):
        """c-ares gives this for response codes that it does not know; a SOA does not make it an absence."""

        assert said(A).answer.reason == Reason.EMPTY_REPLY
        assert said(A, negative_ttl=300).answer.reason == Reason.EMPTY_REPLY

    def test_null_mx_is_an_mx_record(self):
        answer = said(MX, record("0 .", rdtype="MX")).answer

        assert answer.status is AnswerStatus.PRESENT
        assert answer.is_null_mx

    def test_at_most_64_records_are_kept(self):
        answer = said(A, *(record(f"198.51.{n // 256}.{n % 256}") for n in range(600))).answer

        assert len(answer.rdata) == 64
        assert answer.rdata == tuple(sorted(answer.rdata))

    def test_texts_are_never_cut(self):
        """An SPF record is one among all texts."""
        texts = [f"text {n:03}" for n in range(200)]
        answer = said(Question("contoso.com", "TXT"), *(record(text, rdtype="TXT") for text in texts)).answer

        assert answer.rdata == tuple(texts)

    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "10.1.2.3", "192.168.0.1", "0.0.0.0", "169.254.1.1", "::1", "fd00::1"]
    )
    def test_addresses_that_lead_nowhere_exist_and_are_marked(self, address):
        question = Question("contoso.com", "AAAA" if ":" in address else "A")
        answer = said(question, record(address, rdtype=question.rdtype)).answer
        beside = said(question, record(address, rdtype=question.rdtype), record(ROUTED, rdtype=question.rdtype)).answer

        assert (answer.status, answer.reason) == (AnswerStatus.PRESENT, Reason.UNROUTABLE)
        assert beside.reason is None


class TestAliases:
    def test_alias_counts_by_its_target(self):
        """The shortest TTL on the way holds."""
        answer = said(A, alias("contoso.com", "b.example", 60), record(owner="b.example")).answer

        assert (answer.rdata, answer.ttl) == ((ROUTED,), 60)

    def test_alias_with_soa_has_nothing_at_its_end(self):
        answer = said(MX, alias("contoso.com", "b.example"), negative_ttl=900).answer

        assert (answer.status, answer.reason, answer.ttl) == (AnswerStatus.ABSENT, Reason.NODATA, 900)

    def test_alias_without_end_is_followed(self):
        """The next question is about the last name; until then it is unknown."""
        judgement = said(A, alias("b.example", "c.example"), alias("contoso.com", "b.example"))

        assert judgement.next_name == "c.example"
        assert judgement.answer.status is AnswerStatus.UNKNOWN

    @pytest.mark.parametrize("back", ["contoso.com", "b.example"])
    def test_loop_is_unknown(self, back):
        judgement = said(A, alias("contoso.com", "b.example"), alias("b.example", back))

        assert (judgement.answer.reason, judgement.next_name) == (Reason.CNAME_LOOP, None)

    @pytest.mark.parametrize(("length", "reason"), [(10, None), (11, Reason.CNAME_LIMIT)])
    def test_ten_aliases_in_a_row_are_enough(self, length, reason):
        names = ["contoso.com", *(f"n{n}.example" for n in range(length))]
        chain = [alias(*pair) for pair in zip(names, names[1:], strict=False)]

        assert said(A, *chain, record(owner=names[-1])).answer.reason == reason


class TestAbsences:
    @pytest.mark.parametrize("word", [Reason.NXDOMAIN, Reason.NODATA])
    def test_absence_is_never_confirmed_by_itself(self, word):
        answer = judge(A, Reply(word, negative_ttl=900, vouched=True), NOW).answer

        assert answer == Answer(AnswerStatus.ABSENT, (), 900, word, NOW, confirmed=False)

    @pytest.mark.parametrize("word", [Reason.NXDOMAIN, Reason.NODATA])
    def test_server_whose_flags_do_not_vouch_is_lame(self, word):
        assert judge(A, Reply(word, negative_ttl=900, vouched=False), NOW).answer.reason == Reason.LAME

    @pytest.mark.parametrize(
        ("negative_ttl", "kept"),
        [(0, 30), (1, 30), (900, 900), (10_801, 10_800), (86_400, 10_800), (1 << 31, 30)],
    )
    def test_is_kept_by_its_soa_three_hours_at_most(self, negative_ttl, kept):
        answer = judge(A, Reply(Reason.NXDOMAIN, negative_ttl=negative_ttl), NOW).answer

        assert (answer.status, answer.ttl) == (AnswerStatus.ABSENT, kept)

    @pytest.mark.parametrize(("vouched", "kept"), [(True, 0), (None, 300)])
    def test_without_soa_it_is_not_kept_but_where_none_could_be_seen(self, vouched, kept):
        """RFC 2308 section 5; a library that hides flags hides the SOA too."""
        answer = judge(A, Reply(Reason.NODATA, vouched=vouched), NOW).answer

        assert (answer.status, answer.ttl) == (AnswerStatus.ABSENT, kept)


class TestFailures:
    @pytest.mark.parametrize(
        "word",
        [
            "servfail",
            "refused",
            "formerr",
            "notimp",
            "rcode",
            "malformed",
            "timeout",
            "connection",
            "network",
            "cancelled",
        ],
    )
    def test_failure_is_unknown_and_says_why(self, word):
        """Records and SOA that come with it prove nothing."""
        judgement = judge(A, Reply(word, (record(),), 900, vouched=True), NOW)

        assert judgement == (Answer(AnswerStatus.UNKNOWN, reason=Reason(word), asked_at=NOW), None)


class TestNumbers:
    @pytest.mark.parametrize(
        ("ttl", "kept"),
        [
            (0, 30),
            (1, 30),
            (30, 30),
            (31, 31),
            (86_400, 86_400),
            (86_401, 86_400),
            ((1 << 31) - 1, 86_400),
            (1 << 31, 30),
            ((1 << 32) - 1, 30),
        ],
    )
    def test_ttl_is_between_half_a_minute_and_a_day(self, ttl, kept):
        """With the highest bit set it is 0 (RFC 2181 section 8)."""

        assert clamp_ttl(sane_ttl(ttl)) == kept
        assert said(A, record(ttl=ttl)).answer.ttl == kept

    @given(st.binary(max_size=40))
    def test_no_byte_of_a_txt_is_lost(self, data):
        text = text_of(data)

        assert data in {text.encode("utf-8"), text.encode("latin-1", "ignore")}


NAMES = ("contoso.com", "b.example", "c.example", *(f"n{n}.example" for n in range(11)))
TTLS = st.sampled_from((0, 1, 29, 30, 31, 300, 10_800, 86_400, 86_401, (1 << 31) - 1, 1 << 31, (1 << 32) - 1))
ADDRESSES = st.sampled_from(("127.0.0.1", "10.0.0.1", "9.9.9.9", "198.51.100.7", "0.0.0.0")) | st.ip_addresses(v=4).map(
    str
)
RDATA = {
    "A": ADDRESSES,
    "AAAA": st.sampled_from(("::1", "2001:4860::8")) | st.ip_addresses(v=6).map(str),
    "MX": st.sampled_from(("0 .", "10 b.example", "20 c.example")),
    "TXT": st.just("v=spf1 -all"),
}


@st.composite
def records(draw):
    """Records of few owners; each owner is the alias of one name at most, as RFC 2181 section 10.1 has it."""
    owners = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    targets = draw(st.lists(st.sampled_from(NAMES), min_size=len(owners), max_size=len(owners)))
    found = [
        Record(owner, "CNAME", draw(st.integers(0, 9)) > 0, draw(TTLS), to)
        for owner, to in zip(owners, targets, strict=True)
    ]
    if draw(st.booleans()):
        length = draw(st.integers(1, 13))
        chain = NAMES[:1] + tuple(f"n{n}.example" for n in range(length))
        found = [Record(one, "CNAME", True, draw(TTLS), to) for one, to in zip(chain, chain[1:], strict=False)]
        owners = [chain[-1]]
    for _ in range(draw(st.integers(0, 4))):
        rdtype = draw(st.sampled_from(tuple(RDATA)))
        owner = draw(st.sampled_from((*NAMES[:3], *owners, *targets)))
        found.append(Record(owner, rdtype, draw(st.integers(0, 9)) > 0, draw(TTLS), draw(RDATA[rdtype])))
    return tuple(draw(st.permutations(found)))


REPLIES = st.builds(
    Reply,
    st.sampled_from(("answer",) * 6 + ("nxdomain", "nodata", "servfail", "refused", "rcode", "timeout", "malformed")),
    records(),
    st.none() | TTLS,
    st.sampled_from((None, True, False)),
)


class TestAgainstTwin:
    @given(st.sampled_from(("A", "AAAA", "MX")), REPLIES)
    def test_every_reply_is_judged_alike(self, rdtype, reply):
        question = Question("contoso.com", rdtype)

        assert tuple(judge(question, reply, NOW)) == judged(question, reply, NOW)

    @given(st.lists(st.ip_addresses(v=4).map(str), min_size=1, max_size=3))
    def test_every_ipv4_address_is_marked_alike(self, addresses):
        reply = Reply("answer", tuple(record(address) for address in addresses))

        assert tuple(judge(A, reply, NOW)) == judged(A, reply, NOW)

    @given(REPLIES)
    def test_nothing_but_absence_words_and_ended_aliases_is_absent(self, reply):
        answer = judge(A, reply, NOW).answer

        if answer.status is AnswerStatus.ABSENT:
            assert reply.said in {"nxdomain", "nodata"} or (reply.negative_ttl is not None and reply.answer)
            assert reply.vouched is not False
