"""SPF that no row records: which rows are evaluated and for what, cell by cell, and that a recorded result always wins."""

import threading
import zlib
from random import Random

import pyarrow as pa
import pytest

import poolsift
from poolsift._native.core import Kernel
from poolsift._native.nouns import DnsTable, SpfTable
from poolsift.evidence import Flag, decode_evidence
from poolsift.records import SPF_WORDS, record_schema

WORDS = {word: number for number, word in enumerate(SPF_WORDS, start=1)}
FIRST = {4: bytes(4), 6: bytes(16)}

TENANT = """
[[tenant]]
accepted_domains = ["contoso.com"]
[[tenant.gateway]]
name = "filtered"
prefixes = ["198.51.100.0/26", "2001:db8:1::/48"]
enhanced_filtering = true
[[tenant.gateway]]
name = "unfiltered"
prefixes = ["198.51.100.64/26"]
enhanced_filtering = false
[[tenant.gateway]]
name = "not said"
prefixes = ["198.51.100.128/26"]
"""
FILTERED, UNFILTERED, NOT_SAID = "198.51.100.1", "198.51.100.65", "198.51.100.129"


class Answers:
    """An SpfSource of made-up results: what it was asked is kept.

    ``programs``: name → word for every address, or a list of (first address packed, word), or None: each
    message needs its ``outcomes``, or "local": which depend on the local part too.
    """

    def __init__(self, programs=None, outcomes=None, most_bytes=1 << 20):
        self.table = SpfTable(most_bytes)
        self.programs = programs or {}
        self.outcomes = outcomes or {}
        self.asked = []

    def answer(self, asked):
        self.asked.extend(asked)
        for kind, name, *rest in asked:
            if kind == "outcome":
                self.table.add_outcome(name, *rest, self.outcome(name, *rest))
                continue
            family, program = rest[0], self.program(name, rest[0])
            if program is None or program == "local":
                self.table.add_uncompiled(name, family, program == "local")
                continue
            segments = [(FIRST[family], program)] if isinstance(program, str) else program
            starts, words = zip(*segments, strict=True)
            self.table.add(name, family, b"".join(starts), bytes(WORDS.get(word, 0) for word in words))

    def program(self, name, family):
        return self.programs.get(name, "none")

    def outcome(self, name, client_ip, helo, local):
        return WORDS.get(self.outcomes.get((name, client_ip, helo, local)), 0)


class Dns:
    """A source of DNS that knows one name and brings SPF along."""

    path = sha256 = None

    def __init__(self, spf):
        self.table = DnsTable.build(["sender.example"], ["A"], ["present"], [False])
        self.spf = spf


def classifier(answers, tenant=TENANT):
    return poolsift.Classifier(poolsift.Tenant.parse(tenant), dns=Dns(answers))


RECORD = {
    "mail_from": "ann@sender.example",
    "client_ip": "192.0.2.1",
    "direction": "outbound",
    "recipient": "b@other.example",
}


def evaluated(answers, records, **options):
    """(spf_pass, spf_from) of each record; bit 17 must agree with spf_from."""
    batch = pa.RecordBatch.from_pylist([RECORD | record for record in records], schema=record_schema())
    rows = pa.table(classifier(answers, **options).classify(batch)).to_pylist()
    facts = [decode_evidence(row["evidence"]) for row in rows]
    for row, fact in zip(rows, facts, strict=True):
        assert fact[Flag.SPF_EVALUATED] == (row["spf_from"] == "evaluated")
    return [(fact["spf_pass"], row["spf_from"]) for fact, row in zip(facts, rows, strict=True)]


def one(record, programs=None, outcomes=None, **options):
    return evaluated(Answers(programs or {"sender.example": "pass"}, outcomes), [record], **options)[0]


YES, NO, NOT = ("yes", "evaluated"), ("no", "evaluated"), ("unknown", None)


class TestWords:
    @pytest.mark.parametrize(
        ("word", "fact"),
        [
            ("pass", "yes"),
            ("fail", "no"),
            ("softfail", "no"),
            ("neutral", "no"),
            ("none", "no"),
            ("permerror", "no"),
            ("temperror", "unknown"),
        ],
    )
    def test_an_evaluated_word_gives_the_fact_of_a_recorded_one(self, word, fact):
        """And is marked as evaluated; a temporary error stays unknown."""
        assert one({}, {"sender.example": word}) == (fact, "evaluated")
        assert one({"spf": word}) == (fact, "log")

    def test_what_could_not_be_evaluated_is_not(self):
        """The word 0 is neither a result nor a mark."""
        assert one({}, {"sender.example": "could not"}) == NOT

    def test_the_segment_of_the_address_decides(self):
        """Both families have programs of their own."""
        programs = {
            "sender.example": [(FIRST[4], "fail"), (bytes([192, 0, 2, 0]), "pass"), (bytes([192, 0, 3, 0]), "neutral")]
        }

        class Both(Answers):
            def program(self, name, family):
                return programs[name] if family == 4 else "permerror"

        clients = ["192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", "2001:db8::1", "::ffff:192.0.2.7"]
        answers = Both()
        found = evaluated(answers, [{"client_ip": client} for client in clients])

        assert found == [NO, YES, YES, NO, NO, YES]
        assert answers.asked == [("program", "sender.example", 4), ("program", "sender.example", 6)]


class TestWhoIsEvaluated:
    @pytest.mark.parametrize("recorded", ["pass", "FAIL", "temperror"])
    def test_a_recorded_result_wins(self, recorded):
        """Nobody is even asked."""
        answers = Answers({"sender.example": "pass" if recorded != "pass" else "fail"})
        expected = {"pass": "yes", "FAIL": "no", "temperror": "unknown"}[recorded]

        assert evaluated(answers, [{"spf": recorded}]) == [(expected, "log")]
        assert evaluated(answers, [{"spf": recorded, "joined": True}]) == [(expected, "joined")]
        assert answers.asked == []

    @pytest.mark.parametrize("word", ["", "hardfail", "pass "])
    def test_a_word_outside_the_vocabulary_counts_as_not_recorded(self, word):
        """docs/choices.md 2; also where the authentication was joined."""
        assert one({"spf": word}) == YES
        assert one({"spf": word, "joined": True}) == YES

    @pytest.mark.parametrize(
        "mail_from", [None, "two@at@sender.example", " ", "ann", "ann@-x.example", "ann@xn--a.example"]
    )
    def test_without_a_usable_mail_from_nothing_is(self, mail_from):
        """Neither from header_from nor from the HELO name."""
        record = {"mail_from": mail_from, "header_from": "ann@sender.example", "helo": "sender.example"}

        assert one(record) == NOT

    @pytest.mark.parametrize("mail_from", ["ann@[192.0.2.1]", "ann@[IPv6:2001:db8::1]", "ann@printer"])
    def test_a_literal_or_single_label_publishes_nothing(self, mail_from):
        """RFC 7208 4.3: none, and nobody is asked."""
        answers = Answers()

        assert evaluated(answers, [{"mail_from": mail_from}]) == [NO]
        assert answers.asked == []

    @pytest.mark.parametrize(
        "mail_from",
        ["ann@Bücher.example", "ann@xn--bcher-kva.example", '"a b"@XN--BCHER-KVA.Example.', "<ann@bücher.example>"],
    )
    def test_a_domain_is_asked_in_its_canonical_form(self, mail_from):
        """However it is written."""
        answers = Answers({"xn--bcher-kva.example": "pass"})

        assert evaluated(answers, [{"mail_from": mail_from}]) == [YES]
        assert answers.asked == [("program", "xn--bcher-kva.example", 4)]


class TestNullReversePath:
    @pytest.mark.parametrize("mail_from", ["", "<>", " <> "])
    @pytest.mark.parametrize(
        ("helo", "expected"),
        [
            ("sender.example", YES),
            ("SENDER.example.", YES),
            ("bücher.example", NO),
            ("other.example", NO),
            ("[192.0.2.1]", NO),
            ("[IPv6:2001:DB8::1]", NO),
            ("printer", NO),
            (None, NOT),
            ("", NOT),
            ("no name", NOT),
            ("-x.example", NOT),
            ("xn--a.example", NOT),
            ("[192.0.2]", NOT),
            ("[192.0.2.1", NOT),
            ("x@sender.example", NOT),
        ],
    )
    def test_the_helo_name_is_evaluated(self, mail_from, helo, expected):
        """By the grammar of a domain; what is none is a bad value, and nothing is known."""
        assert one({"mail_from": mail_from, "helo": helo, "header_from": "a@sender.example"}) == expected

    def test_the_message_is_asked_about_as_postmaster_of_that_name(self):
        """RFC 7208 2.4."""
        answers = Answers({"xn--bcher-kva.example": "local"})
        evaluated(answers, [{"mail_from": "<>", "helo": "BÜCHER.example".replace("Ü", "ü")}])

        assert answers.asked[1:] == [
            ("outcome", "xn--bcher-kva.example", "192.0.2.1", "xn--bcher-kva.example", "postmaster")
        ]


class TestAddresses:
    @pytest.mark.parametrize(
        "client",
        [
            None,
            "",
            "no address",
            "fe80::1%eth0",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "::ffff:192.168.0.1",
            "fd00::1",
            "127.0.0.1",
            "::1",
            "169.254.9.9",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "40.92.1.1",
            "40.93.1.1",
            "40.95.1.1",
            "40.107.1.1",
            "52.100.1.1",
            "52.103.255.255",
            "104.47.1.1",
            "2a01:111:f400:7e00::1",
            "2a01:111:f403:e40b::1",
            "2603:10a6:10:1::1",
        ],
    )
    def test_of_inside_and_of_microsoft_are_not_evaluated(self, client):
        """Nor what is no address; whatever the domain is."""
        records = [{"client_ip": client}, {"client_ip": client, "mail_from": "a@printer"}]

        assert evaluated(Answers({"sender.example": "pass"}), records) == [NOT, NOT]

    @pytest.mark.parametrize(
        "client",
        ["192.0.2.1", "198.51.100.200", "203.0.113.255", "2001:db8::1", "172.32.0.0", "40.94.0.1", "0.0.0.1", "::2"],
    )
    def test_of_elsewhere_are_evaluated(self, client):
        """Documentation prefixes too."""
        assert one({"client_ip": client}) == YES


class TestGateways:
    PROGRAMS = {
        "sender.example": [(FIRST[4], "fail"), (bytes([192, 0, 2, 0]), "pass"), (bytes([192, 0, 3, 0]), "fail")]
    }

    @pytest.mark.parametrize(
        ("client", "source", "expected"),
        [
            (FILTERED, "192.0.2.1", YES),
            (FILTERED, "203.0.113.1", NO),
            (FILTERED, None, NOT),
            (FILTERED, "", NOT),
            (FILTERED, "unreadable", NOT),
            (FILTERED, "10.0.0.1", NOT),
            (FILTERED, "40.107.1.1", NOT),
            ("2001:db8:1::1", "192.0.2.1", YES),
            (UNFILTERED, "192.0.2.1", NO),
            (UNFILTERED, None, NO),
            (NOT_SAID, "192.0.2.1", NO),
            ("203.0.113.1", "192.0.2.1", NO),
        ],
    )
    def test_the_address_before_a_filtered_gateway_counts(self, client, source, expected):
        """Elsewhere the client's does; an unknown address is not the gateway's."""
        assert one({"client_ip": client, "source_ip": source}, self.PROGRAMS) == expected

    def test_a_recorded_result_wins_behind_a_gateway_too(self):
        """Microsoft 365 had the address before the gateway."""
        assert one({"client_ip": FILTERED, "source_ip": "192.0.2.1", "spf": "fail"}, self.PROGRAMS) == ("no", "log")

    def test_of_another_tenant_no_gateway_is_known(self):
        """Then the client is a host like any other."""
        tenant = TENANT.replace("[[tenant]]", '[[tenant]]\nid = "00000000-0000-0000-0000-00000000000a"')
        record = {"client_ip": FILTERED, "source_ip": "192.0.2.1", "tenant_id": "00000000-0000-0000-0000-00000000000b"}

        assert one(record, self.PROGRAMS, tenant=tenant) == NO


class TestNewlyFiltered:
    """A gateway that an overlay gives Enhanced Filtering: what was recorded was about the gateway's address."""

    def rows(self, records, answers):
        """Verdicts by a kernel whose first gateway has the value 3."""
        classify = classifier(answers)
        spec = classify.spec()
        gateways = spec["tenants"][0]["gateways"]
        spec["tenants"][0]["gateways"] = [(p, n, 3 if value == 0 else value) for p, n, value in gateways]
        spec["spf"] = None if answers is None else answers.table
        classify._kernel = Kernel(spec)
        classify._spf = answers
        batch = pa.RecordBatch.from_pylist([RECORD | record for record in records], schema=record_schema())
        return pa.table(classify.classify(batch)).to_pylist()

    def found(self, records, answers):
        rows = self.rows(records, answers)
        return [(decode_evidence(row["evidence"])["spf_pass"], row["spf_from"]) for row in rows]

    @pytest.mark.parametrize("recorded", ["pass", "fail", None])
    @pytest.mark.parametrize(
        ("source", "expected"), [("192.0.2.1", YES), ("203.0.113.1", NO), (None, NOT), ("x", NOT), ("10.0.0.1", NOT)]
    )
    def test_recorded_or_not_the_address_before_it_is_evaluated(self, recorded, source, expected):
        """Without one, nothing is known."""
        record = {"client_ip": FILTERED, "source_ip": source, "spf": recorded, "joined": True}

        assert self.found([record], Answers(TestGateways.PROGRAMS)) == [expected]

    @pytest.mark.parametrize("client", [UNFILTERED, "203.0.113.1", None])
    def test_elsewhere_a_recorded_result_still_wins(self, client):
        """Only that gateway's messages were judged by its address."""
        record = {"client_ip": client, "source_ip": "192.0.2.1", "spf": "fail"}

        assert self.found([record], Answers(TestGateways.PROGRAMS)) == [("no", "log")]

    def test_where_spf_is_not_evaluated_nothing_is_known(self):
        """Nor do rows change that did not pass the gateway."""
        records = [{"client_ip": FILTERED, "source_ip": "192.0.2.1", "spf": "pass"}, {"spf": "pass"}, {}]

        assert self.found(records, None) == [NOT, ("yes", "log"), NOT]

    def test_the_gateway_counts_as_filtered_in_the_fix(self):
        """Enhanced Filtering is not advised where it is on."""
        relayed = {"spf": "fail", "dkim": "none", "source_ip": "203.0.113.1"}
        rows = self.rows(
            [relayed | {"client_ip": client} for client in (FILTERED, UNFILTERED, NOT_SAID)],
            Answers(TestGateways.PROGRAMS),
        )

        assert [row["fix"] for row in rows] == [
            "use_accepted_sender",
            "enable_enhanced_filtering",
            "use_accepted_sender",
        ]

    def test_a_gateway_of_another_number_is_refused(self):
        """Four values are known."""
        spec = classifier(None).spec()
        spec["tenants"][0]["gateways"] = [(bytes(4), 8, 4)]

        with pytest.raises(ValueError, match="found filtering 4, expected 0 to 3"):
            Kernel(spec)


class TestOutcomes:
    OUTCOMES = {
        ("sender.example", "192.0.2.1", "mx.example", ""): "pass",
        ("sender.example", "192.0.2.1", "", ""): "fail",
        ("local.example", "192.0.2.1", "", "ann"): "pass",
        ("local.example", "192.0.2.1", "", '"b c"'): "fail",
    }

    def test_are_asked_once_for_each_message_that_differs(self):
        """The HELO name counts in lower case; the local part only where the domain needs it, and then as written."""
        answers = Answers({"sender.example": None, "local.example": "local"}, self.OUTCOMES)
        records = [
            {"helo": "mx.example"},
            {"helo": "MX.example", "mail_from": "bob@Sender.example"},
            {},
            {"helo": "not printable"},
            {"mail_from": "ann@local.example"},
            {"mail_from": '"b c"@local.example'},
            {"mail_from": "ANN@local.example"},
        ]

        assert evaluated(answers, records) == [YES, YES, NO, NO, YES, NO, NOT]
        assert answers.asked == [
            ("program", "sender.example", 4),
            ("program", "local.example", 4),
            ("outcome", "sender.example", "192.0.2.1", "mx.example", ""),
            ("outcome", "sender.example", "192.0.2.1", "", ""),
            ("outcome", "local.example", "192.0.2.1", "", "ann"),
            ("outcome", "local.example", "192.0.2.1", "", '"b c"'),
            ("outcome", "local.example", "192.0.2.1", "", "ANN"),
        ]

    def test_a_source_that_leaves_questions_open_is_named(self):
        """An error, and not a run without end."""

        class Silent(Answers):
            def answer(self, asked):
                """Nothing."""

        with pytest.raises(
            OSError,
            match=r"RuntimeError: the source of SPF left 1 questions open, the first: \('program', 'sender.example', 4\)",
        ):
            evaluated(Silent(), [{}])


def test_dkim_is_not_known_by_an_evaluated_result():
    """DMARC passed without an SPF result that we know DMARC had; a recorded one that failed tells that DKIM passed."""
    record = RECORD | {"dkim": "pass", "dmarc": "pass"}
    batch = pa.RecordBatch.from_pylist([record, record | {"spf": "fail"}], schema=record_schema())
    rows = pa.table(classifier(Answers({"sender.example": "fail"})).classify(batch)).to_pylist()
    facts = [decode_evidence(row["evidence"]) for row in rows]

    assert [(fact["spf_pass"], fact["dkim_pass"]) for fact in facts] == [("no", "unknown"), ("no", "yes")]


def test_without_a_source_nothing_is_evaluated():
    """A DNS source that brings no SPF, or none at all, leaves the fact unknown."""
    tenant = poolsift.Tenant.parse(TENANT)
    for dns in (None, Dns(None)):
        verdict = poolsift.Classifier(tenant, dns=dns).classify_record(RECORD)

        assert (verdict.facts["spf_pass"], verdict.spf_from) == ("unknown", None)


def test_a_single_record_is_evaluated_too():
    """`explain` shows what a run says."""
    verdict = classifier(Answers({"sender.example": "pass"})).classify_record(RECORD)

    assert (verdict.facts["spf_pass"], verdict.spf_from) == ("yes", "evaluated")


def test_classify_without_asking_leaves_rows_unknown():
    """What is not in the table when a batch is judged is not evaluated."""
    classify = classifier(Answers({"sender.example": "pass"}))
    schema, array = pa.RecordBatch.from_pylist([RECORD]).__arrow_c_array__()
    memo = classify.domain_facts().memo
    verdicts = pa.RecordBatch._import_from_c_capsule(*classify.kernel.classify(schema, array, memo))

    assert verdicts.column("spf_from").to_pylist() == [None]
    assert memo.spf_asked() == []


class MadeUp(Answers):
    """Programs and outcomes that follow from the names: c… compiled, u… by message, l… by local part, z… could not be evaluated."""

    def program(self, name, family):
        if name[0] in "ul":
            return None if name[0] == "u" else "local"
        if name[0] == "z":
            return "could not"
        random = Random(f"{name} {family}")
        size = len(FIRST[family])
        starts = sorted({FIRST[family], *(random.randbytes(size) for _ in range(random.randrange(40)))})
        return [(start, random.choice(SPF_WORDS)) for start in starts]

    def outcome(self, *message):
        return zlib.crc32(repr(message).encode()) % 8


def made_up_batch(seed, rows=400):
    random = Random(seed)
    names = [f"{kind}{number}.example" for kind in "culz" for number in range(6)]
    records = [
        RECORD
        | {
            "mail_from": random.choice(["<>", f"{random.choice('ab')}@{random.choice(names)}"]),
            "helo": random.choice([None, *names]),
            "client_ip": random.choice(
                [f"192.0.2.{random.randrange(4)}", f"2001:db8::{random.randrange(4)}", FILTERED]
            ),
            "source_ip": random.choice([None, f"203.0.113.{random.randrange(4)}"]),
            "spf": random.choice([None, None, None, "pass"]),
        }
        for _ in range(rows)
    ]
    return pa.RecordBatch.from_pylist(records, schema=record_schema())


def encoded(batch):
    """Every text column dictionary-encoded."""
    columns = [column.dictionary_encode() if column.type == pa.string() else column for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def test_encoded_columns_give_the_same():
    """A dictionary is only another way to write."""
    batch = made_up_batch(1)
    plain = pa.table(classifier(MadeUp()).classify(batch))

    assert pa.table(classifier(MadeUp()).classify(encoded(batch))).equals(plain)
    assert plain["spf_from"].to_pylist().count("evaluated") > 150


@pytest.mark.parametrize("most_bytes", [0, 20_000])
def test_a_table_that_overflows_gives_the_same(most_bytes):
    """It is cleared between batches and filled anew; one memo goes on."""
    batches = [made_up_batch(seed) for seed in range(6)]
    roomy, tight = MadeUp(), MadeUp(most_bytes=most_bytes)
    expected, found = (
        pa.table(classifier(answers).classify(pa.Table.from_batches(batches))) for answers in (roomy, tight)
    )

    assert found.equals(expected)
    assert tight.table.epoch > roomy.table.epoch == 0


@pytest.mark.parametrize("most_bytes", [0, 1 << 20])
def test_many_threads_share_a_table(most_bytes):
    """Whoever asks first, and even while others make the table forget, each batch has its own result."""
    batches = [made_up_batch(seed, rows=120) for seed in range(24)]
    expected = [pa.table(classifier(MadeUp()).classify(batch)) for batch in batches]
    shared, found = classifier(MadeUp(most_bytes=most_bytes)), {}

    def work(first):
        domains = shared.domain_facts()
        for number in range(first, len(batches), 4):
            found[number] = pa.table(shared.classify(batches[number], domains=domains))

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == len(batches)
    assert all(found[number].equals(table) for number, table in enumerate(expected))
