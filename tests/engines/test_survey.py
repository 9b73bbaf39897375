"""Surveys: every record is named once or left out for a reason, and the same archive gives the same bytes."""

import gzip
import hashlib
import subprocess
import sys
from random import Random

import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.engines import survey_store
from poolsift.engines.inputs import AccountingError
from poolsift.engines.survey import survey_files
from poolsift.engines.survey_findings import Findings
from poolsift.engines.verdicts import VerdictSource
from poolsift.errors import InputError, RejectLimitError, UsageError
from poolsift.records import RECORD_TYPES, record_schema
from poolsift.rules import DEFAULT
from poolsift.tenant import Tenant
from tests.reference.evidence import World
from tests.reference.survey import survey
from tests.reference.worlds import reference_world
from tests.strategies import DOMAINS, IP_ADDRESSES, random_records, records
from tests.test_engine import ndjson

OUT = {"mail_from": "a@contoso.com", "recipient": "b@partner.example", "direction": "outbound"}
HELOS = (
    None,
    "",
    "mx.contoso.com",
    "MX.Contoso.com.",
    "[192.0.2.1]",
    "192.0.2.1",
    "PRINTER",
    "x.local",
    "a b",
    "=cmd",
    *DOMAINS,
)
CLIENTS = (*IP_ADDRESSES, "192.0.2.1", "::ffff:192.0.2.1", "2001:DB8::1", "10.1.2.3", "172.31.0.1", "172.32.0.1", "127.0.0.1",
           "169.254.1.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "fc00::1", "fe80::1", "fe80::1%1", "::1", "::", "ff02::1",
           "100.64.0.1", "198.51.100.7", "203.0.113.7", " 192.0.2.1", "192.0.2.01", "::ffff:10.0.0.1")  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return reference_world("none", False)


def surveyed(out, to="parquet"):
    if to == "ndjson":
        return [orjson.loads(line) for line in out.read_bytes().splitlines()]
    return pq.read_table(out).to_pylist()


def findings(records_, tenant=None):
    """Findings of some records in batches, without files."""
    found = Findings(tenant)
    columns = {name: [record.get(name) for record in records_] for name in RECORD_TYPES}
    batch = pa.RecordBatch.from_pydict(columns, schema=record_schema())
    source = VerdictSource(tenant=None, dns=None, rules=DEFAULT, compare=(), assume=None)
    halves = [batch.slice(0, len(batch) // 2), batch.slice(len(batch) // 2)]
    for half, verdicts in source.ordered(halves, 1):
        found.add(half, verdicts)
    return found


def rows_of(found):
    rows = [
        {"kind": kind, "name": name, "client_ip": ip or None, "helo": helo or None, "records": count}
        for (kind, name, ip, helo), count in sorted(found.named.items())
    ]
    return rows, {kind: dict(counts) for kind, counts in found.left_out.items()}


class TestAgainstTheReference:
    @given(st.data())
    def test_batches_of_any_records(self, world, data):
        """Kernel, Arrow and memos against one record after the other."""
        extra = st.fixed_dictionaries({
            "helo": st.sampled_from(HELOS) | st.text(max_size=5),
            "client_ip": st.none() | st.sampled_from(CLIENTS) | st.text(alphabet="0123.:af%", max_size=8),
        })  # fmt: skip
        pairs = data.draw(st.lists(st.tuples(records(), extra), max_size=8))
        drawn = [{**record, **more} for record, more in pairs]
        expected = survey(drawn, world)

        assert rows_of(findings(drawn)) == (
            expected.rows, {"domain": expected.domains_left_out, "spf": expected.spf_left_out},
        )  # fmt: skip

    def test_a_log_of_random_records_through_files(self, tmp_path, world):
        """Whole runs over two inputs; every reason to leave a record out occurs."""
        random = Random(7)
        drawn = random_records(7, 6000)
        for record in drawn:
            record |= {"helo": random.choice(HELOS), "client_ip": random.choice(CLIENTS)}
            if random.random() < 0.7:
                record["spf"] = None
        schema = record_schema()
        for number, half in enumerate((drawn[:2500], drawn[2500:])):
            pq.write_table(pa.Table.from_pylist(half, schema=schema), tmp_path / f"{number}.parquet")
        result = survey_files([tmp_path / "0.parquet", tmp_path / "1.parquet"], tmp_path / "out.parquet")
        rejected = {
            (int(line["input"][-9]), line["row"])
            for line in map(orjson.loads, (tmp_path / "out.parquet.rejects.ndjson").read_bytes().splitlines())
        }
        kept = [
            record
            for number, half in enumerate((drawn[:2500], drawn[2500:]))
            for row, record in enumerate(half, 1)
            if (number, row) not in rejected
        ]
        expected = survey(kept, world)
        summary = result.summary

        assert surveyed(tmp_path / "out.parquet") == expected.rows
        assert summary["domain"]["left_out"] == expected.domains_left_out
        assert summary["spf"]["left_out"] == expected.spf_left_out
        assert set(expected.domains_left_out) == {"no_sender_domain", "literal", "single_label", "special_use"}
        assert set(expected.spf_left_out) == {
            "not_outbound", "spf_recorded", "mail_from_not_recorded", "mail_from_unusable", "client_ip_not_recorded",
            "client_ip_unusable", "private", "loopback", "link_local", "unspecified", "multicast", "broadcast", "microsoft",
            "helo_not_recorded", "literal", "single_label", "special_use", "syntax",
        }  # fmt: skip
        assert summary["accounting"] == {"rows_in": 6000, "records": len(kept), "rejects": len(rejected)}
        assert result.exit_code == 3


class TestWhatIsAsked:
    def rows(self, *records_):
        return [(kind, name, ip, helo) for kind, name, ip, helo in sorted(findings(records_).named)]

    def test_the_null_reverse_path_is_asked_about_by_helo(self):
        record = {
            **OUT,
            "mail_from": "<>",
            "header_from": "p@fabrikam.com",
            "client_ip": "192.0.2.1",
            "helo": "Mx.Fabrikam.com",
        }

        assert self.rows(record) == [
            ("domain", "fabrikam.com", "", ""),
            ("spf", "mx.fabrikam.com", "192.0.2.1", "mx.fabrikam.com"),
        ]

    def test_a_sender_of_a_trace_is_taken_for_the_reverse_path(self):
        record = {**OUT, "sender_from_trace": True, "client_ip": "192.0.2.1"}

        assert self.rows(record)[1] == ("spf", "contoso.com", "192.0.2.1", "")

    def test_header_from_is_never_asked_about_by_spf(self):
        record = {**OUT, "mail_from": None, "header_from": "a@contoso.com", "client_ip": "192.0.2.1"}

        assert self.rows(record) == [("domain", "contoso.com", "", "")]

    def test_a_recorded_result_is_not_evaluated_again_and_an_unknown_word_is_none(self):
        record = {**OUT, "client_ip": "192.0.2.1"}

        assert len(self.rows({**record, "spf": "temperror"})) == 1
        assert len(self.rows({**record, "spf": "hardfail"})) == 2

    @pytest.mark.parametrize("prefix", ["192.0.2.0", "198.51.100.0", "203.0.113.0", "2001:db8::"])
    def test_prefixes_for_documentation_are_evaluated(self, prefix):
        assert self.rows({**OUT, "client_ip": prefix})[1][2] == prefix

    def test_one_address_and_one_host_are_one_tuple_however_written(self):
        found = findings([
            {**OUT, "client_ip": "2001:DB8:0::1", "helo": "mx.contoso.com"},
            {**OUT, "client_ip": "2001:db8::1", "helo": "MX.CONTOSO.COM."},
        ])  # fmt: skip

        assert found.named["spf", "contoso.com", "2001:db8::1", "mx.contoso.com"] == 2


class TestGateways:
    TENANT = Tenant.parse("""
[[tenant]]
id = "T1"
accepted_domains = ["contoso.com", "partner.example"]
gateway = [
    { name = "filtering", prefixes = ["203.0.113.0/25"], enhanced_filtering = true },
    { name = "off", prefixes = ["203.0.113.128/26"], enhanced_filtering = false },
    { name = "not said", prefixes = ["203.0.113.192/26"] },
]

[[tenant]]
id = "T2"
accepted_domains = ["fabrikam.com"]
""")

    def asked(self, client_ip, source_ip=None, tenant_id="t1", tenant=TENANT):
        """The address of the tuple, or why there is none."""
        record = {**OUT, "client_ip": client_ip, "source_ip": source_ip, "tenant_id": tenant_id}
        found = findings([record], tenant)
        return next((one.client_ip for one in found.named if one.kind == "spf"), *found.left_out["spf"])

    @pytest.mark.parametrize(
        ("client_ip", "source_ip", "expected"),
        [
            ("203.0.113.1", "192.0.2.1", "192.0.2.1"),
            ("::ffff:203.0.113.1", "::ffff:192.0.2.1", "192.0.2.1"),
            ("203.0.113.1", None, "source_ip_not_recorded"),
            ("203.0.113.1", "", "source_ip_not_recorded"),
            ("203.0.113.1", "unknown", "source_ip_unusable"),
            ("203.0.113.1", "10.0.0.1", "private"),
            ("203.0.113.1", "40.107.1.1", "microsoft"),
            ("203.0.113.129", "192.0.2.1", "203.0.113.129"),
            ("203.0.113.193", "192.0.2.1", "203.0.113.193"),
            ("198.51.100.1", "192.0.2.1", "198.51.100.1"),
            (None, "192.0.2.1", "client_ip_not_recorded"),
        ],
    )
    def test_behind_a_filtering_gateway_the_address_before_it_counts(self, client_ip, source_ip, expected):
        """Only there: elsewhere what stands before the client is not Microsoft's concern."""
        assert self.asked(client_ip, source_ip) == expected

    @pytest.mark.parametrize("tenant_id", ["T2", "T3", None])
    def test_gateways_of_another_tenant_are_clients(self, tenant_id):
        assert self.asked("203.0.113.1", "192.0.2.1", tenant_id) == "203.0.113.1"

    def test_accepted_domains_change_nothing(self):
        """The recipient is accepted, yet another row of the message may know that it left."""
        assert self.asked("198.51.100.1", tenant=None) == self.asked("198.51.100.1") == "198.51.100.1"

    def test_the_manifest_names_the_tenant_file(self, tmp_path):
        path = tmp_path / "tenant.toml"
        path.write_text('[[tenant]]\naccepted_domains = ["contoso.com"]\n')
        archive = ndjson(tmp_path / "in.ndjson", [OUT])
        survey_files(archive, tmp_path / "out.parquet", tenant=Tenant.load(str(path)))
        manifest = orjson.loads((tmp_path / "out.parquet.manifest.json").read_bytes())

        assert manifest["tenant_file"] == str(path)
        assert manifest["tenant_file_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        with pytest.raises(UsageError, match="overwrite"):
            survey_files(archive, path, tenant=Tenant.load(str(path)))


class TestFiles:
    @pytest.fixture
    def archive(self, tmp_path):
        """Three files that share most of their names."""
        files = []
        for name in "abc":
            rows = [
                {**OUT, "mail_from": f"u@{name}{n % 70}.example" if n % 3 else f"u@s{n % 50}.example", "client_ip": f"192.0.2.{n % 9}"}
                for n in range(900)
            ]  # fmt: skip
            files.append(ndjson(tmp_path / f"{name}.ndjson", rows))
        return files

    def test_the_bytes_depend_neither_on_the_order_of_inputs_nor_on_memory(self, tmp_path, archive, monkeypatch):
        """With a store that spills after every few findings, too."""
        hashes = []
        for number, room in enumerate((1 << 10, 1 << 20, 1 << 30)):
            monkeypatch.setattr(survey_store, "_FINDING_BYTES", room)
            out = tmp_path / f"out{number}.parquet"
            survey_files(archive[:: -1 if number == 1 else 1], out, memory=(64, 512, 512)[number] << 20)
            hashes.append(hashlib.sha256(out.read_bytes()).hexdigest())

        assert len(set(hashes)) == 1

    def test_a_damaged_input_leaves_nothing_and_the_others_go_on(self, tmp_path, archive, monkeypatch):
        """Also where its names were on disk already, and rejected rows of it stay listed."""
        rows = [orjson.dumps({**OUT, "mail_from": f"a@gone{n}.example", "helo": f"h{n}"}) for n in range(3000)]
        whole = gzip.compress(b"\n".join([rows[0], b"[]", *rows]))
        (tmp_path / "bad.ndjson.gz").write_bytes(whole[: len(whole) // 2])
        bad = str(tmp_path / "bad.ndjson.gz")
        survey_files(archive, tmp_path / "good.parquet")
        for room in (400, 1 << 30):
            monkeypatch.setattr(survey_store, "_FINDING_BYTES", room)
            result = survey_files([*archive, bad], tmp_path / "out.parquet")
            manifest = orjson.loads((tmp_path / "out.parquet.manifest.json").read_bytes())
            entry = next(entry for entry in manifest["inputs"] if entry["name"] == bad)

            assert (result.exit_code, [failure.code for failure in result.failures]) == (5, ["truncated"])
            assert surveyed(tmp_path / "out.parquet") == surveyed(tmp_path / "good.parquet")
            assert result.summary["accounting"] == {"rows_in": 2701, "records": 2700, "rejects": 1}
            assert (entry["left_out"], entry["rows"], entry["error"]["code"]) == (True, 1, "truncated")
        with pytest.raises(InputError, match="bad"):
            survey_files(bad, tmp_path / "alone.parquet")
        assert not (tmp_path / "alone.parquet").exists()

    def test_a_damaged_input_gives_what_it_has_where_that_is_allowed(self, tmp_path):
        whole = gzip.compress(
            b"".join(orjson.dumps({**OUT, "mail_from": f"a@n{n}.example"}) + b"\n" for n in range(9000))
        )
        (tmp_path / "bad.ndjson.gz").write_bytes(whole[: len(whole) // 2])
        result = survey_files(
            tmp_path / "bad.ndjson.gz", tmp_path / "out.parquet", allow_truncated=True, allow_rejects=True
        )

        assert result.exit_code == 0
        assert 0 < len(surveyed(tmp_path / "out.parquet")) == result.summary["accounting"]["records"] < 9000

    def test_rejected_rows_are_counted_and_listed(self, tmp_path):
        source = ndjson(tmp_path / "in.ndjson", [OUT], b"[]\n[]\n")
        result = survey_files(source, tmp_path / "out.parquet", rejects=tmp_path / "bad.ndjson")

        assert result.exit_code == 3
        assert result.summary["reject_codes"] == {"not_object": 2}
        assert [line["row"] for line in map(orjson.loads, (tmp_path / "bad.ndjson").read_bytes().splitlines())] == [
            2,
            3,
        ]
        assert survey_files(source, tmp_path / "out.parquet", allow_rejects=True).exit_code == 0
        with pytest.raises(RejectLimitError):
            survey_files(source, tmp_path / "none.parquet", max_rejects=1)
        assert not (tmp_path / "none.parquet").exists()

    def test_an_empty_archive_gives_an_empty_table(self, tmp_path):
        (tmp_path / "in.csv").write_text("")
        result = survey_files(tmp_path / "in.csv", tmp_path / "out.parquet")
        table = pq.read_table(tmp_path / "out.parquet")

        assert (result.exit_code, table.num_rows) == (0, 0)
        assert table.column_names == ["kind", "name", "client_ip", "helo", "records"]
        assert table.schema.metadata[b"poolsift.schema_version"]

    def test_every_output_format_holds_the_same(self, tmp_path, archive):
        for ending in ("parquet", "arrow", "ndjson", "csv"):
            survey_files(archive, tmp_path / f"out.{ending}")
        survey_files(archive, tmp_path / "directory")
        expected = surveyed(tmp_path / "out.parquet")
        with pa.memory_map(str(tmp_path / "out.arrow")) as file:
            arrow = pa.ipc.open_file(file).read_all().to_pylist()
        csv = pa.csv.read_csv(
            tmp_path / "out.csv", convert_options=pa.csv.ConvertOptions(strings_can_be_null=True, null_values=[""])
        )

        assert arrow == expected
        assert surveyed(tmp_path / "out.ndjson", "ndjson") == expected
        assert [{**row, "helo": None} for row in csv.to_pylist()] == expected
        assert surveyed(tmp_path / "directory" / "part-00000.parquet") == expected

    def test_ignored_columns_count_as_not_recorded(self, tmp_path):
        source = ndjson(tmp_path / "in.ndjson", [{**OUT, "client_ip": "192.0.2.1", "spf": "pass"}])
        survey_files(source, tmp_path / "out.parquet", ignore=["spf"])

        assert [row["kind"] for row in surveyed(tmp_path / "out.parquet")] == ["domain", "spf"]

    def test_an_input_is_never_overwritten(self, tmp_path):
        source = ndjson(tmp_path / "in.ndjson", [OUT])
        with pytest.raises(UsageError, match="overwrite"):
            survey_files(source, source)

        assert orjson.loads((tmp_path / "in.ndjson").read_bytes()) == OUT

    def test_nothing_else_is_left_beside_the_output(self, tmp_path):
        source = ndjson(tmp_path / "in.ndjson", [OUT])
        survey_files(source, tmp_path / "out" / "s.parquet")

        assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["s.parquet", "s.parquet.manifest.json"]

    def test_a_record_that_is_lost_is_found_out(self, tmp_path, monkeypatch):
        """Every record is named or left out, for either kind; anything else is a defect."""
        source = ndjson(tmp_path / "in.ndjson", [OUT])
        monkeypatch.setattr(Findings, "_add_tuples", lambda *_: None)
        with pytest.raises(AccountingError):
            survey_files(source, tmp_path / "out.parquet")

        assert not (tmp_path / "out.parquet").exists()


class TestCommand:
    def run(self, *arguments, **options):
        command = [sys.executable, "-m", "poolsift", "survey", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=False, timeout=120, **options)

    def test_names_on_stdout_summary_on_stderr(self):
        rows = b"".join(
            orjson.dumps(row) + b"\n" for row in ({**OUT, "client_ip": "192.0.2.1"}, {**OUT, "mail_from": "a@printer"})
        )
        ended = self.run("-", input=rows + b"[]\n")

        assert ended.returncode == 3
        assert [orjson.loads(line) for line in ended.stdout.splitlines()] == [
            {"kind": "domain", "name": "contoso.com", "client_ip": None, "helo": None, "records": 1},
            {"kind": "spf", "name": "contoso.com", "client_ip": "192.0.2.1", "helo": None, "records": 1},
        ]
        assert ended.stderr.decode().splitlines() == [
            "sender domains: 1, named by 1 records",
            "  left out, single label: 1 records",
            "SPF tuples: 1, named by 1 records",
            "  left out, client ip not recorded: 1 records",
            "rows in 3 = records 2 + rejected 1; rows were not folded",
            "  reject codes: not_object (1)",
        ]

    def test_json_is_one_object_on_stdout(self, tmp_path):
        source = ndjson(tmp_path / "in.ndjson", [OUT])
        ended = self.run(source, "-o", tmp_path / "s.parquet", "--json", "-q")

        assert orjson.loads(ended.stdout)["domain"] == {"found": 1, "records": 1, "left_out": {}}
        assert (ended.stderr, ended.returncode) == (b"", 0)
        assert self.run(source, "--json").returncode == 2

    def test_explain_says_that_there_are_no_verdicts(self, tmp_path):
        source = ndjson(tmp_path / "in.ndjson", [OUT])
        self.run(source, "-o", tmp_path / "s.parquet", "-q")
        command = [sys.executable, "-m", "poolsift", "explain", tmp_path / "s.parquet", "--row", "1"]
        ended = subprocess.run(command, capture_output=True, check=False, timeout=120)

        assert ended.returncode == 2
        assert b"expected one that poolsift classify wrote" in ended.stderr
