"""The classifier as a library user meets it: any Arrow data in, verdict columns out, one record as a mapping."""

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import polars as pl
import pyarrow as pa
import pytest

import poolsift
from poolsift import verdict_stream as module
from poolsift._native.arrow_c import array_length
from poolsift._native.arrow_rows import read_row
from poolsift.classifier import Classifier
from poolsift.dns.snapshot import Snapshot
from poolsift.errors import RulesError, UsageError
from poolsift.evidence import Fact, Known
from poolsift.records import record_schema
from poolsift.rules import Profile
from poolsift.tenant import Tenant
from poolsift.verdict_stream import input_batches
from poolsift.verdicts import VERDICT_COLUMNS, verdict_schema

TENANT = Tenant.parse(
    """
[[tenant]]
accepted_domains = ["contoso.com"]
initial_domain = "contoso.onmicrosoft.com"
[[tenant.gateway]]
prefixes = ["203.0.113.0/24"]
enhanced_filtering = false
[pools]
names = { "MyRegionPool" = "normal" }
prefixes = [{ prefix = "198.51.100.0/24", pool = "relay" }]
"""
)
RELAYED = {
    "direction": "outbound",
    "mail_from": "billing@supplier.example",
    "recipient": "bob@partner.example",
    "spf": "fail",
    "dkim": "none",
}
ROWS = [
    RELAYED,
    {**RELAYED, "mail_from": "ann@contoso.com"},
    {**RELAYED, "kind": "ndr"},
    {**RELAYED, "spf": None},
    {},
]
POOLS = ["relay", "normal", "high_risk", "undetermined", "undetermined"]


def table(rows=ROWS):
    return pa.Table.from_pylist(rows, schema=record_schema())


class Stream:
    """Somebody's object with one dunder method."""

    def __init__(self, data):
        self.data = data

    def __arrow_c_stream__(self, requested_schema=None):
        return self.data.__arrow_c_stream__(requested_schema)


class Array:
    """Likewise, for one array."""

    def __init__(self, data):
        self.data = data

    def __arrow_c_array__(self, requested_schema=None):
        return self.data.__arrow_c_array__(requested_schema)


@pytest.fixture(scope="module")
def classifier():
    return Classifier(TENANT)


class TestExamples:
    @pytest.fixture
    def examples(self, shared):
        text = (shared / "design" / "examples.ndjson").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    @pytest.fixture
    def example_classifier(self, shared):
        tenant = Tenant.load(str(shared / "design" / "examples.tenant.toml"))
        return Classifier(tenant, dns=Snapshot.open(str(shared / "design" / "examples.dns.ndjson")))

    def test_one_by_one(self, examples, example_classifier):
        """The records that trip a careless reading, as mappings."""
        for example in examples:
            verdict = example_classifier.classify_record(example["record"])

            assert {name: getattr(verdict, name) for name in example["expect"]} == example["expect"], example["why"]

    def test_in_one_table(self, examples, example_classifier):
        """The same in one call."""
        rows = [dict(example["record"]) for example in examples]
        for row in rows:
            if "time" in row:
                row["time"] = datetime.fromisoformat(row["time"])
        found = pa.table(example_classifier.classify(table(rows))).to_pylist()

        for example, verdict in zip(examples, found, strict=True):
            assert {name: verdict[name] for name in example["expect"]} == example["expect"], example["why"]


class TestClassify:
    @pytest.mark.parametrize(
        "wrap",
        [
            lambda data: data,
            lambda data: data.to_batches()[0],
            lambda data: Stream(data),
            lambda data: Array(data.to_batches()[0]),
            lambda data: data.to_struct_array().chunk(0),
            lambda data: data.to_struct_array(),
            lambda data: pa.RecordBatchReader.from_batches(data.schema, data.to_batches(max_chunksize=2)),
            lambda data: pa.concat_tables([data.slice(0, 2), data.slice(2)]),
            lambda data: data.select(list(reversed(data.column_names))),
            lambda data: data.append_column("extra", pa.array([{"a": 1}] * len(data))),
        ],
        ids=[
            "table",
            "batch",
            "stream",
            "array",
            "struct array",
            "chunked struct",
            "reader",
            "chunks",
            "order",
            "extra",
        ],
    )
    def test_takes_every_arrow_shape(self, classifier, wrap):
        """What counts is the protocol, not the class; columns are found by name."""
        assert pa.table(classifier.classify(wrap(table()))).column("pool").to_pylist() == POOLS

    @pytest.mark.parametrize("library", ["polars", "pandas"])
    def test_takes_other_libraries(self, classifier, library):
        frames = pytest.importorskip(library)
        data = frames.from_arrow(table()) if library == "polars" else table().to_pandas(types_mapper=frames.ArrowDtype)

        assert pa.table(classifier.classify(data)).column("pool").to_pylist() == POOLS

    def test_columns_and_types(self, classifier):
        found = pa.table(classifier.classify(table())).schema

        assert found.names == list(VERDICT_COLUMNS) == list(classifier.columns)
        for name in VERDICT_COLUMNS:
            expected = verdict_schema().field(name).type
            is_dictionary = pa.types.is_dictionary(expected)
            assert pa.types.is_dictionary(found.field(name).type) == is_dictionary
            assert is_dictionary or found.field(name).type == expected

    def test_rows_in_are_rows_out(self, classifier):
        """Nothing is rejected, whatever stands in a row."""
        rows = [{"mail_from": "\x00\ufffd@@", "client_ip": "x", "spf": "?", "sfp": -5, "recipient": "a,b"}] * 7

        assert pa.table(classifier.classify(table(rows))).num_rows == 7

    def test_no_rows(self, classifier):
        found = pa.table(classifier.classify(table([])))

        assert (found.num_rows, found.column_names) == (0, list(VERDICT_COLUMNS))

    def test_large_batches_are_sliced(self, classifier, monkeypatch):
        """A result batch stays of bounded size, and slicing changes nothing."""
        monkeypatch.setattr(module, "MAX_ROWS", 3)
        batches = list(classifier.classify(table(ROWS * 4).to_batches()[0].slice(1)))

        assert [len(batch) for batch in batches] == [3] * 6 + [1]
        assert [verdict.pool for batch in batches for verdict in batch.rows()] == (POOLS * 4)[1:]

    def test_slices_view_without_copying(self, monkeypatch):
        monkeypatch.setattr(module, "MAX_ROWS", 2)
        batch = pa.record_batch({"x": ["a", "b", "c", "d", "e"]})
        parts = [
            [read_row(schema, array, row)["x"] for row in range(array_length(array))]
            for schema, array in input_batches(batch)
        ]

        assert parts == [["a", "b"], ["c", "d"], ["e"]]

    def test_is_lazy(self, classifier):
        """Batches are pulled as the result is read."""
        pulled = []

        def produce():
            for batch in table().to_batches(max_chunksize=1):
                pulled.append(len(pulled))
                yield batch

        stream = iter(classifier.classify(pa.RecordBatchReader.from_batches(record_schema(), produce())))
        assert pulled == []
        next(stream)
        assert len(pulled) == 1

    def test_stream_can_be_read_again(self, classifier):
        verdicts = classifier.classify(table())

        assert pa.table(verdicts).equals(pa.table(verdicts))
        assert [pa.record_batch(batch).num_rows for batch in verdicts] == [5]

    def test_batch_can_be_read_again(self, classifier):
        (batch,) = classifier.classify(table())

        assert pa.record_batch(batch).equals(pa.record_batch(batch))

    def test_producer_errors_come_through(self, classifier):
        def produce():
            yield table().to_batches()[0]
            raise ValueError("the disk is gone")

        reader = pa.RecordBatchReader.from_batches(record_schema(), produce())
        with pytest.raises((ValueError, OSError), match="the disk is gone"):
            list(classifier.classify(reader))

    def test_wrong_column_type_names_column_and_types(self, classifier):
        with pytest.raises(TypeError, match="spam.*"):
            list(classifier.classify(pa.table({"spam": ["yes"]})))
        with pytest.raises(Exception, match="spam"):
            pa.table(classifier.classify(pa.table({"spam": ["yes"]})))

    @pytest.mark.parametrize("data", [None, 5, [{"spam": True}], "text"])
    def test_other_objects_are_refused_at_once(self, classifier, data):
        with pytest.raises(TypeError, match="__arrow_c_stream__"):
            classifier.classify(data)

    def test_array_that_is_no_struct(self, classifier):
        with pytest.raises((TypeError, ValueError)):
            list(classifier.classify(pa.array(["a"])))

    def test_domains_keep_what_was_learned(self, classifier):
        """A memo shared by calls changes no result; one of another classifier is refused."""
        domains = classifier.domain_facts()
        first, second = (pa.table(classifier.classify(table(), domains=domains)) for _ in range(2))

        assert first.equals(second)
        with pytest.raises(ValueError, match="another classifier"):
            classifier.classify(table(), domains=Classifier().domain_facts())

    def test_idn_and_organizational_names(self, classifier):
        rows = [
            {**RELAYED, "mail_from": "a@bücher.EXAMPLE"},
            {**RELAYED, "mail_from": "a@app.contoso.com"},
            {**RELAYED, "mail_from": "a@xn--a.example"},
        ]
        found = pa.table(classifier.classify(table(rows))).to_pylist()

        assert [row["sender_domain"] for row in found] == ["xn--bcher-kva.example", "app.contoso.com", None]
        assert [row["fix"] for row in found] == ["authorize_client_ip", "accept_domain", "check_accepted_domains"]

    def test_threads_share_one_classifier(self, classifier):
        expected = pa.table(classifier.classify(table(ROWS * 50)))
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: pa.table(classifier.classify(table(ROWS * 50))), range(8)))

        assert all(result.equals(expected) for result in found)

    def test_needs_no_pyarrow(self):
        """One record in and out without pyarrow."""
        code = (
            "import sys, poolsift; v = poolsift.Classifier().classify_record({'kind': 'ndr', 'direction': 'outbound'}); "
            "print(v.pool, 'pyarrow' in sys.modules)"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

        assert out == "high_risk False\n"


class TestClassifyRecord:
    def test_verdict_has_all_columns_and_facts(self, classifier):
        verdict = classifier.classify_record({**RELAYED, "client_ip": "203.0.113.5"})

        assert (verdict.pool, verdict.rule, verdict.fix) == (
            "relay",
            "relay_unauthenticated",
            "enable_enhanced_filtering",
        )
        assert (verdict.sender_domain, verdict.sender_from, verdict.spf_from) == (
            "supplier.example",
            "mail_from",
            "log",
        )
        assert verdict.facts["spf_pass"] == "no"
        assert verdict.facts["domain_resolves"] == "unknown"
        assert verdict.candidate_pools == ("relay",)
        assert verdict.used_pool == "relay"
        assert pickle.loads(pickle.dumps(verdict)) == verdict

    def test_empty_record(self, classifier):
        assert classifier.classify_record({}).pool == "undetermined"

    def test_unknown_column_names_the_nearest(self, classifier):
        with pytest.raises(UsageError) as caught:
            classifier.classify_record({"mailfrom": "a@b.example"})

        assert (caught.value.key, caught.value.nearest) == ("mailfrom", "mail_from")

    @pytest.mark.parametrize(
        "record",
        [
            {"spam": "yes"},
            {"spam": 1},
            {"sfp": "1101"},
            {"sfp": 1 << 31},
            {"spf": 3},
            {"time": 5},
            {"time": "yesterday"},
        ],
    )
    def test_wrong_types(self, classifier, record):
        with pytest.raises(UsageError) as caught:
            classifier.classify_record(record)

        assert caught.value.key in record

    @pytest.mark.parametrize(
        ("time", "pool"),
        [
            ("2026-06-24T23:59:59Z", "normal"),
            ("2026-06-25T00:00:00+00:00", "relay"),
            ("2026-06-25T01:00:00+02:00", "normal"),
            (datetime(2026, 6, 25, tzinfo=UTC), "relay"),
            (datetime(2026, 6, 24, 12), "normal"),
            (date(2026, 6, 25), "relay"),
            (None, "normal"),
        ],
    )
    def test_time_picks_the_profile(self, time, pool):
        """by-date: DKIM stopped counting on 2026-06-25 UTC."""
        record = {**RELAYED, "time": time, "dkim": "pass", "dkim_domain": "supplier.example"}

        assert Classifier(TENANT, rules="by-date").classify_record(record).pool == pool

    def test_null_reverse_path(self, classifier):
        verdict = classifier.classify_record({"mail_from": "<>", "direction": "outbound"})

        assert (verdict.pool, verdict.facts["null_path_without_kind"]) == ("high_risk", True)


class TestOptions:
    def test_dns_off_assumes_that_domains_resolve(self):
        """Without DNS the domain is taken to resolve; with a snapshot that lacks it, it is unknown."""
        record = {**RELAYED, "mail_from": "ann@contoso.com"}

        assert Classifier(TENANT).classify_record(record).pool == "normal"
        assert Classifier(TENANT, dns=Snapshot.from_dict({})).classify_record(record).pool == "undetermined"

    def test_snapshot_decides(self):
        dns = Snapshot.from_dict({"contoso.com": {"A": "absent", "MX": "absent"}})
        verdict = Classifier(TENANT, dns=dns).classify_record({**RELAYED, "mail_from": "ann@contoso.com"})

        assert (verdict.pool, verdict.rule, verdict.fix) == ("high_risk", "no_a_no_mx", "publish_a_or_mx")

    def test_assume_replaces_the_set(self):
        record = {**RELAYED, "spf": None}

        assert (
            Classifier(TENANT, assume="spf_pass=no,spam=no,blocked=no,domain_resolves=yes").classify_record(record).pool
            == "relay"
        )
        assert Classifier(TENANT, assume={Fact.SPF_PASS: Known.NO}).classify_record(record).pool == "undetermined"
        assert Classifier(TENANT, assume="none").classify_record({**RELAYED, "kind": "ndr"}).candidates == 0b10010

    def test_assume_refuses_unknown(self):
        with pytest.raises(RulesError):
            Classifier(assume={Fact.SPAM: Known.UNKNOWN})

    def test_compare_adds_pools(self):
        record = {**RELAYED, "dkim": "pass", "dkim_domain": "supplier.example"}
        compared = Classifier(TENANT, compare=["2026-06", "2023-11"])

        assert compared.columns[-2:] == ("pool_2026_06", "pool_2023_11")
        assert compared.classify_record(record).compared == {"pool_2026_06": "relay", "pool_2023_11": "normal"}

    def test_compared_pools_are_words_in_every_batch(self, monkeypatch):
        """Streams, batches and repeated reading give the same dictionary columns."""
        monkeypatch.setattr(module, "MAX_ROWS", 2)
        stream = Classifier(TENANT, compare=["2016-08", "2026-06"]).classify(table())
        found = pa.table(stream)
        found.validate(full=True)

        assert found.column("pool_2016_08").to_pylist() == ["normal", "normal", "high_risk", "normal", "undetermined"]
        assert found.schema.field("pool_2026_06").type == found.schema.field("pool").type
        assert [pa.record_batch(batch).column("pool_2026_06").to_pylist() for batch in stream][0] == ["relay", "normal"]
        assert (
            pl.from_arrow(Stream(stream)).struct.field("pool_2016_08").to_list()
            == found.column("pool_2016_08").to_pylist()
        )

    def test_own_profile(self, tmp_path):
        path = tmp_path / "mine.toml"
        path.write_text('[[rule]]\nname = "everything"\nwhen = {}\npool = "relay"\n')
        verdict = Classifier(TENANT, rules=str(path)).classify_record({})

        assert (verdict.pool, verdict.rule, verdict.fix) == ("relay", "everything", None)

    def test_two_profiles_of_one_name(self, tmp_path):
        path = tmp_path / "2023-11.toml"
        path.write_text('[[rule]]\nname = "everything"\nwhen = {}\npool = "relay"\n')
        with pytest.raises(RulesError, match="one name"):
            Classifier(compare=[str(path)])

    def test_compare_takes_no_selection(self):
        with pytest.raises(RulesError):
            Classifier(compare=["by-date"])

    def test_tenant_file_adds_pools(self, classifier):
        named = classifier.classify_record({**RELAYED, "outbound_ip_pool_name": "myREGIONpool"})
        addressed = classifier.classify_record({**RELAYED, "outbound_ip": "198.51.100.7"})

        assert (named.observed_pool, named.observed_from, named.agreement) == ("normal", "pool_name", "mismatch")
        assert (addressed.observed_pool, addressed.observed_from, addressed.agreement) == (
            "relay",
            "outbound_ip",
            "match",
        )

    def test_pickles(self, tmp_path):
        """A copy made elsewhere gives the same verdicts; a snapshot travels as its path."""
        path = str(tmp_path / "dns.arrow")
        Snapshot.from_dict({"contoso.com": {"A": "present"}}).write(path)
        one = Classifier(TENANT, dns=Snapshot.open(path), rules="by-date", compare=["2026-06"], assume="none")
        two = pickle.loads(pickle.dumps(one))

        assert pa.table(two.classify(table())).equals(pa.table(one.classify(table())))
        assert two.profile_at(datetime(2020, 1, 1, tzinfo=UTC)).name == "2016-08"
        assert two.profile_at(None).name == "2023-11"

    def test_profile_objects(self):
        assert Classifier(rules=Profile.load("measured")).rules.name == "measured"

    def test_public_name(self):
        assert poolsift.Classifier is Classifier
