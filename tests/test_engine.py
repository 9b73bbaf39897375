"""Whole runs: every row accounted for, the same bytes whatever the threads, and nothing published on failure."""

import gzip
import hashlib

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import poolsift
from poolsift.engines.inputs import AccountingError, RunInput
from poolsift.engines.local import classify_files
from poolsift.errors import InputError, RejectLimitError, UsageError
from poolsift.tenant import Tenant

TENANT = Tenant.parse('[[tenant]]\nname = "c"\naccepted_domains = ["contoso.com"]\n')
RELAY = {"mail_from": "s@x.example", "direction": "outbound", "recipient": "b@y.example", "spf": "fail", "dkim": "none"}
NORMAL = {"mail_from": "a@contoso.com", "direction": "outbound", "recipient": "b@y.example"}


def ndjson(path, records, tail=b""):
    path.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records) + tail)
    return str(path)


def table(out):
    return pa.concat_tables([pq.read_table(path) for path in sorted(out.glob("part-*.parquet"))])


def hashes(out):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("part-*")}


def test_records_are_classified_and_the_manifest_says_from_what(tmp_path):
    source = ndjson(tmp_path / "in.ndjson", [RELAY, NORMAL])
    result = classify_files(source, tmp_path / "out", tenant=TENANT)
    manifest = orjson.loads((tmp_path / "out" / "manifest.json").read_bytes())
    (entry,) = manifest["inputs"]

    assert table(tmp_path / "out")["pool"].to_pylist() == ["relay", "normal"]
    assert table(tmp_path / "out")["row"].to_pylist() == [1, 2]
    assert (result.exit_code, result.summary["pools"]) == (0, {"normal": 1, "relay": 1})
    assert manifest == result.manifest
    assert (entry["name"], entry["rows"], entry["format"]) == (source, 2, "ndjson")
    assert entry["sha256"] == hashlib.sha256((tmp_path / "in.ndjson").read_bytes()).hexdigest()
    assert manifest["accounting"] == {"rows_in": 2, "records": 2, "folded": 0, "rejects": 0}
    assert manifest["verdicts"]["assumed"] == {"blocked": "no", "spam": "no", "domain_resolves": "yes"}
    assert manifest["tables"]["prefixes"]
    assert manifest["versions"]["poolsift"] == poolsift.__version__


def test_manifests_of_the_same_work_differ_in_one_field_only(tmp_path):
    source = ndjson(tmp_path / "in.ndjson", [RELAY])
    one, two = (classify_files(source, tmp_path / name, tenant=TENANT).manifest for name in "ab")

    assert {key for key in one if one[key] != two[key]} <= {"run"}


def test_the_output_is_the_same_for_any_threads_memory_and_order_of_inputs(tmp_path):
    files = []
    for name in "abc":
        records = [
            {**RELAY, "mail_from": f"{name}{n}@x{n % 7}.example", "message_id": f"<{n % 50}@x>"} for n in range(200)
        ]
        files.append(ndjson(tmp_path / f"{name}.ndjson", records))
    results = []
    for number, (threads, fold, order) in enumerate([(1, "on", 1), (3, "on", -1), (1, "off", 1), (3, "off", -1)]):
        out = tmp_path / f"out{number}"
        classify_files(
            files[::order], out, tenant=TENANT, threads=threads, fold=fold, memory=(64 if order > 0 else 512) << 20
        )
        results.append(hashes(out))

    assert results[0] == results[1]
    assert results[2] == results[3]
    assert results[0] != results[2]


def test_rejected_rows_are_kept_and_counted(tmp_path):
    source = ndjson(tmp_path / "in.ndjson", [RELAY], b"[]\n" + orjson.dumps(NORMAL) + b"\n")
    result = classify_files(source, tmp_path / "out", tenant=TENANT)
    line = orjson.loads((tmp_path / "out" / "rejects.ndjson").read_bytes())

    assert result.exit_code == 3
    assert result.manifest["accounting"] == {"rows_in": 3, "records": 2, "folded": 0, "rejects": 1}
    assert (line["input"], line["row"], line["code"]) == (source, 2, "not_object")
    assert result.manifest["rejects"]["rows"] == 1
    assert classify_files(source, tmp_path / "o2", allow_rejects=True).exit_code == 0


def test_too_many_rejects_publish_nothing(tmp_path):
    source = ndjson(tmp_path / "in.ndjson", [RELAY], b"[]\n[]\n")
    with pytest.raises(RejectLimitError):
        classify_files(source, tmp_path / "out", max_rejects=1)

    assert not (tmp_path / "out").exists()
    assert classify_files(source, tmp_path / "out", max_rejects=2).exit_code == 3


class TestDamagedInputs:
    @pytest.fixture
    def damaged(self, tmp_path):
        whole = gzip.compress(b"".join(orjson.dumps({**RELAY, "helo": f"h{n}"}) + b"\n" for n in range(5000)))
        (tmp_path / "bad.ndjson.gz").write_bytes(whole[: len(whole) // 2])
        return [str(tmp_path / "bad.ndjson.gz"), ndjson(tmp_path / "good.ndjson", [NORMAL])]

    def test_they_are_left_out_and_the_others_go_on(self, tmp_path, damaged):
        result = classify_files(damaged, tmp_path / "out", tenant=TENANT)
        bad, good = result.manifest["inputs"]

        assert result.exit_code == 5
        assert [failure.code for failure in result.failures] == ["truncated"]
        assert (bad["rows"], bad["left_out"], bad["error"]["code"]) == (0, True, "truncated")
        assert good["rows"] == 1
        assert table(tmp_path / "out")["pool"].to_pylist() == ["normal"]

    def test_they_give_what_they_have_where_that_is_allowed(self, tmp_path, damaged):
        result = classify_files(damaged, tmp_path / "out", tenant=TENANT, allow_truncated=True, allow_rejects=True)
        rows = result.manifest["inputs"][0]["rows"]

        assert result.exit_code == 0
        assert rows > 0
        assert table(tmp_path / "out").num_rows == result.manifest["accounting"]["records"]

    def test_when_nothing_is_left_nothing_is_published(self, tmp_path, damaged):
        with pytest.raises(InputError):
            classify_files(damaged[0], tmp_path / "out")

        assert not (tmp_path / "out").exists()


class TestNothing:
    @pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
    def test_an_empty_file_is_no_error(self, tmp_path, text):
        (tmp_path / "in.csv").write_text(text, encoding="utf-8")
        result = classify_files(str(tmp_path / "in.csv"), tmp_path / "out")

        assert result.exit_code == 0
        assert table(tmp_path / "out").num_rows == 0
        assert "pool" in table(tmp_path / "out").column_names

    def test_a_header_alone_gives_no_rows(self, tmp_path):
        (tmp_path / "in.csv").write_text("mail_from,recipient\n")

        assert classify_files(str(tmp_path / "in.csv"), tmp_path / "out").manifest["inputs"][0]["rows"] == 0


def test_extra_columns_of_several_files_stand_beside_one_another(tmp_path):
    one = ndjson(tmp_path / "a.ndjson", [{**RELAY, "Subject": "s"}])
    two = ndjson(tmp_path / "b.ndjson", [{**RELAY, "Size": "3"}])
    classify_files([one, two], tmp_path / "out.ndjson", columns="key")
    classify_files([one, two], tmp_path / "out", columns="all")
    rows = [row for path in sorted((tmp_path / "out").glob("part*")) for row in pq.read_table(path).to_pylist()]

    assert [row.get("Subject") for row in rows] == ["s", None]
    assert rows[1]["Size"] == "3"


def test_ignored_columns_count_as_not_recorded(tmp_path):
    source = ndjson(tmp_path / "in.ndjson", [{**RELAY, "accepted": False}])
    classify_files(source, tmp_path / "out", ignore=["accepted", "spf"])

    assert table(tmp_path / "out")["pool"].to_pylist() == ["undetermined"]


def test_compared_profiles_have_a_column_and_the_newest_one_only_when_asked(tmp_path):
    source = ndjson(tmp_path / "in.ndjson", [{**RELAY, "dkim": "pass", "dkim_domain": "x.example"}])
    result = classify_files(source, tmp_path / "a", tenant=TENANT, compare=["2016-08"])
    classify_files(source, tmp_path / "b", tenant=TENANT, compare=["2026-06"])

    assert table(tmp_path / "a")["pool_2016_08"].to_pylist() == ["normal"]
    assert "pool_2026_06" not in table(tmp_path / "a").column_names
    assert table(tmp_path / "b")["pool_2026_06"].to_pylist() == ["relay"]
    assert result.summary["newest_profile"] == {"name": "2026-06", "changed": 1}


def test_accepted_domains_can_be_learned(tmp_path):
    stamped = {"header_from": "a@contoso.com", "mail_from": "a@contoso.com", "accepted": True, "direction": "outbound"}
    source = ndjson(tmp_path / "in.ndjson", [stamped, NORMAL, RELAY])
    classify_files(source, tmp_path / "out", learn_accepted=True)

    assert table(tmp_path / "out")["pool"].to_pylist() == ["normal", "normal", "undetermined"]
    with pytest.raises(UsageError, match="one of the two"):
        classify_files(source, tmp_path / "o2", learn_accepted=True, tenant=TENANT)


@pytest.mark.parametrize(("option", "value"), [
    ("columns", "keys"), ("fold", "of"), ("format", "emailevent"), ("ignore", ["spff"]), ("threads", 0), ("memory", 5),
    ("max_rejects", -1), ("to", "parket"),
])  # fmt: skip
def test_bad_options_are_refused_before_any_work(tmp_path, option, value):
    source = ndjson(tmp_path / "in.ndjson", [RELAY])
    with pytest.raises(UsageError):
        classify_files(source, tmp_path / "out", **{option: value})

    assert not (tmp_path / "out").exists()


def test_a_reader_that_loses_a_row_is_found_out(tmp_path, monkeypatch):
    real = RunInput.finish

    def lossy(self, error=None):
        self.report.rows += 1
        return real(self, error)

    source = ndjson(tmp_path / "in.ndjson", [RELAY])
    monkeypatch.setattr(RunInput, "finish", lossy)
    with pytest.raises(AccountingError, match="rows_in 2, records 1, folded 0, rejects 0"):
        classify_files(source, tmp_path / "out")

    assert not (tmp_path / "out").exists()
    assert AccountingError.exit_code == 70


def test_progress_reports_compressed_bytes(tmp_path):
    seen = []
    source = ndjson(tmp_path / "in.ndjson", [RELAY])
    classify_files(source, tmp_path / "out", progress=lambda *said: seen.append(said))
    size = (tmp_path / "in.ndjson").stat().st_size

    assert seen[-1] == (size, size, source)
