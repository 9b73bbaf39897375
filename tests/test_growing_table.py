"""A DNS table that grows while kernels use it: what was said stands, and verdicts do not show when it was said."""

import functools
import threading
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolsift
from poolsift._native.nouns import DnsTable
from poolsift.dns.answers import Answer, AnswerStatus
from poolsift.dns.live_table import LiveTable
from poolsift.dns.names import unaskable
from tests.reference.encodings import encode
from tests.strategies import TENANTS, random_columns

NAMES = st.lists(
    st.sampled_from([f"n{number}.example" for number in range(40)] + ["a" * 63 + ".com", "x.co"]), max_size=30
)
STATUSES = ("present", "absent", "unknown", "invalid")


def fixed(rows):
    """A table that does not grow, of (name, rdtype, status)."""
    names, rdtypes, statuses = zip(*rows, strict=True) if rows else ((), (), ())
    return DnsTable.build(names, rdtypes, statuses, [False] * len(rows))


class TestGrowingTable:
    @given(parts=st.lists(NAMES, max_size=8), seed=st.integers(0, 1 << 20))
    def test_equals_a_dict_that_keeps_the_first_word(self, parts, seed):
        """Whatever arrives in whatever pieces, each name has the facts of the first piece that had it."""
        random, table, expected = Random(seed), DnsTable.growing(), {}
        for part in parts:
            said = {name: (random.choice(STATUSES), random.choice(STATUSES)) for name in part}
            added = table.absorb(fixed([(n, t, s[i]) for n, s in said.items() for i, t in enumerate(("A", "MX"))]))
            assert added == len(said.keys() - expected.keys())
            expected = said | expected
        everybody = sorted({name for part in parts for name in part} | {"never.example"})

        assert {name: table.lookup(name)[:2] for name in expected} == expected
        assert table.missing(everybody) == [name for name in everybody if name not in expected]
        assert (len(table), table.lookup("never.example")) == (len(expected), None)

    def test_ten_thousand_small_pieces_are_all_found(self):
        """Room grows with the names; none is lost on the way."""
        table = DnsTable.growing()
        for number in range(10_000):
            table.absorb(fixed([(f"d{number}.example", "MX", "present")]))

        assert table.missing([f"d{number}.example" for number in range(10_001)]) == ["d10000.example"]

    def test_only_a_growing_table_absorbs_and_only_a_fixed_one(self):
        """A snapshot's table never changes."""
        with pytest.raises(ValueError, match="made by growing"):
            DnsTable().absorb(DnsTable())
        with pytest.raises(ValueError, match="made by growing"):
            DnsTable.growing().absorb(DnsTable.growing())

        assert (DnsTable().grows, DnsTable.growing().grows) == (False, True)

    def test_names_outside_the_grammar_are_left_out_and_counted(self):
        """They can be no sender's, so nobody will look for them."""
        table = DnsTable.growing()
        table.absorb(fixed([("bücher.example", "A", "present"), ("a.example", "A", "present")]))

        assert (len(table), table.left_out) == (1, 1)

    def test_many_threads_read_while_one_adds(self):
        """A reader sees a name or does not, never half of one."""
        table, stop, wrong = DnsTable.growing(), threading.Event(), []
        names = [f"r{number}.example" for number in range(3_000)]

        def read():
            while not stop.is_set():
                lacking = set(table.missing(names))
                found = [table.lookup(name) for name in names[::100]]
                wrong.extend(one for one in found if one not in (None, ("absent", "present", "unlisted", False)))
                if not lacking:
                    return

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        try:
            for start in range(0, len(names), 10):
                table.absorb(
                    fixed(
                        [(n, t, s) for n in names[start : start + 10] for t, s in (("A", "absent"), ("MX", "present"))]
                    )
                )
        finally:
            stop.set()
            for reader in readers:
                reader.join()

        assert (wrong, table.missing(names)) == ([], [])


def made_up_answers(random):
    """Answers of one name; absences heavy, for they are what decides."""
    words = random.choices(("absent", "present", "unknown", None), (6, 2, 2, 1), k=3)
    rdata = {"A": ("192.0.2.1",), "MX": (random.choice(("0 .", "10 mail.example.com")),), "AAAA": ("2001:db8::1",)}
    return {
        rdtype: Answer(AnswerStatus(word), rdata[rdtype] if word == "present" else (), confirmed=True)
        for rdtype, word in zip(rdata, words, strict=True)
        if word
    }


def snapshot_of(answers):
    """The same answers known beforehand; a name whose answers decide nothing is listed as unknown."""
    return poolsift.Snapshot.from_rows(
        {"name": name, "rdtype": rdtype, "status": answer.status.value, "rdata": list(answer.rdata)}
        for name, types in answers.items()
        for rdtype, answer in types.items()
    )


@functools.cache
def without_dns():
    return poolsift.Classifier()


def sender_domains(batch):
    found = pa.table(without_dns().classify(batch))["sender_domain"].drop_null().unique().to_pylist()
    return [name for name in found if unaskable(name) is None]


@given(
    seed=st.integers(0, 1 << 30),
    rows=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    threads=st.integers(1, 3),
    rules=st.sampled_from(["2023-11", "measured"]),
)
def test_verdicts_are_those_of_a_snapshot_with_the_same_answers(seed, rows, threads, rules):
    """Any batches, in any order, by any number of threads, with answers at any time before the batch that needs them.

    A name is often met as recipient, header or signer before anybody has asked about it.
    """
    random = Random(seed)
    table = encode(random_columns(seed, sum(rows), 25), "string")
    starts = [sum(rows[:place]) for place in range(len(rows))]
    batches = [
        table.slice(start, count).combine_chunks().to_batches()[0] for start, count in zip(starts, rows, strict=True)
    ]
    answers = {name: made_up_answers(random) for name in sender_domains(table)}
    tenant = poolsift.Tenant.parse(TENANTS)
    options = {"rules": rules, "assume": random.choice((None, "none"))}
    fixed_one = poolsift.Classifier(tenant, dns=snapshot_of(answers), **options)
    live = LiveTable()
    growing_one = poolsift.Classifier(tenant, dns=live, **options)
    order = random.sample(range(len(batches)), len(batches))
    found, early = {}, random.sample(sorted(answers), len(answers) // 4)

    def work(numbers, domains):
        for number in numbers:
            live.take({name: answers[name] for name in sender_domains(batches[number])})
            found[number] = pa.table(growing_one.classify(batches[number], domains=domains))

    workers = [
        threading.Thread(target=work, args=(order[n::threads], growing_one.domain_facts())) for n in range(threads)
    ]
    for worker in workers:
        worker.start()
    for name in early:
        live.take({name: answers[name]})
    for worker in workers:
        worker.join()

    assert sorted(found) == list(range(len(batches)))
    for number, batch in enumerate(batches):
        expected = pa.table(fixed_one.classify(batch))

        assert found[number].equals(expected), (found[number].to_pylist(), expected.to_pylist())


RECORD = {"direction": "outbound", "recipient": "b@partner.example", "spf": "fail", "dkim": "none"}
NOWHERE = {rdtype: Answer(AnswerStatus.ABSENT, confirmed=True) for rdtype in ("A", "MX")}


class TestNamesMetBeforeTheirAnswer:
    @pytest.fixture
    def live(self):
        return LiveTable()

    @pytest.fixture
    def classify(self, live):
        """The verdict on one record, by one memo for all."""
        classifier = poolsift.Classifier(poolsift.Tenant.parse(TENANTS), dns=live)
        domains = classifier.domain_facts()
        return lambda **record: pa.table(
            classifier.classify(pa.RecordBatch.from_pylist([RECORD | record]), domains=domains)
        ).to_pylist()[0]

    @pytest.mark.parametrize("column", ["recipient", "header_from", "mail_from"])
    def test_are_looked_up_again(self, live, classify, column):
        """Nothing known is not the same as known for good."""
        before = classify(**{"mail_from": "a@other.example", column: "a@late.example"})
        live.take({"late.example": NOWHERE})
        after = classify(mail_from="a@late.example")

        assert (before["pool"], after["pool"], after["rule"]) == ("undetermined", "high_risk", "no_a_no_mx")

    def test_get_the_fix_that_depends_on_their_organizational_domain(self, live, classify):
        """It is asked when the name is first met, for later the answer may make it matter."""
        tenant = {"tenant_id": "00000000-0000-0000-0000-00000000000a"}
        classify(**tenant, mail_from="a@other.example", recipient="b@late.contoso.com")
        live.take({"late.contoso.com": NOWHERE, "late.partner.example": NOWHERE})
        fixes = [
            classify(**tenant, mail_from=f"a@late.{parent}")["fix"] for parent in ("contoso.com", "partner.example")
        ]

        assert fixes == ["publish_a_or_mx", "use_accepted_sender"]

    def test_get_that_fix_also_where_the_answer_comes_between_reading_and_judging(self, live):
        """What Python is asked about a batch does not depend on what the table says at that moment."""
        classifier = poolsift.Classifier(poolsift.Tenant.parse(TENANTS), dns=live)
        domains = classifier.domain_facts()
        record = {
            "tenant_id": "00000000-0000-0000-0000-00000000000a",
            "mail_from": "a@late.contoso.com",
            "accepted": False,
        }
        schema, array = pa.RecordBatch.from_pylist([RECORD | record]).__arrow_c_array__()
        names = classifier.kernel.names(schema, array, domains.memo)
        while names:
            domains.fill(names)
            names = domains.memo.asked()
        live.take({"late.contoso.com": NOWHERE})
        verdicts = pa.RecordBatch._import_from_c_capsule(*classifier.kernel.classify(schema, array, domains.memo))

        assert verdicts.column("fix").to_pylist() == ["publish_a_or_mx"]

    def test_of_a_special_use_name_nothing_is_needed(self, classify):
        """A single label or special-use name does not resolve, asked or not, once or twice."""
        pools = [classify(mail_from=f"a@{name}")["pool"] for name in ("printer", "mfp.local", "mfp.local")]

        assert pools == ["high_risk"] * 3

    def test_of_a_special_use_name_an_answer_still_counts(self, live, classify):
        """A table that says it exists is believed, later as well as at once (docs/choices.md 17)."""
        before = classify(mail_from="a@mfp.local")
        live.take({"mfp.local": {"A": Answer(AnswerStatus.PRESENT, ("192.0.2.1",))}})
        after = classify(mail_from="a@mfp.local")

        assert [row["evidence"] >> 2 & 3 for row in (before, after)] == [1, 2]
