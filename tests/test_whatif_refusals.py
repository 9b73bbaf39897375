"""What-if on outputs and manifests that are not what classify writes, and places that it must not write over."""

import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import poolsift
from poolsift import Overlay, classify_files, what_if
from poolsift.errors import InputError, UsageError

TENANT = """\
[[tenant]]
name = "contoso"
accepted_domains = ["contoso.com"]
[[tenant.gateway]]
name = "front"
prefixes = ["203.0.113.0/28"]
enhanced_filtering = false
"""
RECORD = {
    "mail_from": "a@x.example", "recipient": "b@y.example", "direction": "outbound", "client_ip": "203.0.113.1",
    "spf": "fail", "dkim": "none",
}  # fmt: skip
SIGN = Overlay.parse("sign-dkim x.example")


@pytest.fixture
def out(tmp_path):
    """An output of three relayed messages; tenant file and input lie beside it."""
    (tmp_path / "in.ndjson").write_text("".join(json.dumps(RECORD) + "\n" for _ in range(3)), encoding="utf-8")
    (tmp_path / "tenant.toml").write_text(TENANT, encoding="utf-8")
    tenant = poolsift.Tenant.load(str(tmp_path / "tenant.toml"))
    classify_files(tmp_path / "in.ndjson", tmp_path / "out", tenant=tenant)
    return tmp_path / "out"


def edit(out, change):
    """The manifest with a change; returns where it lies."""
    place = out / "manifest.json"
    manifest = json.loads(place.read_bytes())
    change(manifest)
    place.write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        ("verdicts", "assumed", "x"), ("verdicts", "overlay", "x"), ("verdicts", "tenant_file", 5),
        ("verdicts", "dns", None), ("verdicts", "rules", 7), ("options", "columns", None), ("options", "to", 1),
        ("accounting", "records", "3"),
    ],
)  # fmt: skip
def test_a_manifest_of_another_shape_is_named(out, where, key, value):
    """Which entry, and what stands there."""
    edit(out, lambda manifest: manifest[where].update({key: value}))

    with pytest.raises(UsageError, match=rf"not the manifest of this version; found {where}\.{key} = "):
        what_if(out, SIGN)


def test_parts_named_twice_or_elsewhere_are_refused(out):
    """They would be counted twice, or be somebody else's."""
    edit(out, lambda manifest: manifest["outputs"].append(manifest["outputs"][0]))
    with pytest.raises(UsageError, match="not a list of parts"):
        what_if(out, SIGN)
    edit(out, lambda manifest: manifest["outputs"].__setitem__(slice(None), [{"name": "../part.parquet"}]))
    with pytest.raises(UsageError, match="not a list of parts"):
        what_if(out, SIGN)


def test_rows_that_are_missing_are_not_counted_as_unmoved(out):
    """The manifest says how many there are."""
    edit(out, lambda manifest: manifest["outputs"].clear())

    with pytest.raises(InputError, match="found 0 rows, expected 3"):
        what_if(out, SIGN)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("evidence", pa.array([1 << 33] * 3, pa.int64())), ("evidence", pa.array([3] * 3, pa.uint32())),
        ("evidence", pa.nulls(3, pa.uint32())), ("pool", pa.array(["nonsense"] * 3)),
        ("header_from", pa.array([1] * 3, pa.int64())),
    ],
)  # fmt: skip
def test_columns_that_classify_does_not_write_are_named(out, column, values):
    """The part is; no count comes of it."""
    part = out / "part-00000.parquet"
    table = pq.read_table(part)
    pq.write_table(table.set_column(table.schema.get_field_index(column), column, values), part)

    with pytest.raises(InputError, match=r"part-00000\.parquet: columns are not what classify writes"):
        what_if(out, SIGN)


def test_what_an_address_means_needs_the_tenant_file(out):
    """Behind a filtering gateway it is another one: without the file nothing is counted."""
    (out.parent / "tenant.toml").unlink()

    with pytest.raises(UsageError, match="the tenant file of the run is gone"):
        what_if(out, Overlay.parse("authorize 203.0.113.1 = x.example"))
    with pytest.raises(UsageError, match="the tenant file of the run is gone"):
        what_if(out, best=3)


def test_a_run_that_took_a_gateway_for_filtered_is_refused(out):
    """What was recorded about the gateway is no longer in its verdicts."""
    tenant = poolsift.Tenant.load(str(out.parent / "tenant.toml"))
    overlay = Overlay.parse("enhanced-filtering front")
    classify_files(out.parent / "in.ndjson", out.parent / "more", tenant=tenant, overlay=overlay)

    with pytest.raises(UsageError, match="took a gateway for filtered; found enhanced-filtering .front."):
        what_if(out.parent / "more", SIGN)


@pytest.mark.parametrize("option", ["-o", "--save-overlay"])
@pytest.mark.parametrize("name", ["tenant.toml", "in.ndjson"])
def test_what_the_run_read_is_not_overwritten(out, option, name):
    """Nor the input."""
    place = out.parent / name
    before = place.read_bytes()
    command = [sys.executable, "-m", "poolsift", "whatif", str(out), "--sign-dkim", "x.example", option, str(place)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ended.returncode, place.read_bytes()) == (2, before)
    assert "would overwrite what is read" in ended.stderr


def test_a_domain_that_becomes_accepted_may_have_been_written_to(out):
    """Key columns do not keep every sign of sending, and that is said."""
    found = what_if(out, Overlay.parse("accept-domain y.example"))

    assert found.together.moved.messages == 3
    assert any("counts as not sent on unless its verdict shows what sent it" in text for text in found.remarks)


def test_one_tenant_by_name_and_by_id():
    """The order of lines means nothing: the wider of two statements counts."""
    tenant = poolsift.Tenant.parse('[[tenant]]\nid = "t1"\nname = "contoso"\naccepted_domains = ["contoso.com"]\n')
    lines = ["accept-domain x.example subdomains tenant=contoso", "accept-domain x.example tenant=t1"]
    records = pa.table({"mail_from": ["a@deep.x.example"], "recipient": ["b@y.example"], "tenant_id": ["t1"]})
    verdicts = [
        pa.table(poolsift.Classifier(tenant, overlay=Overlay.parse("\n".join(order))).classify(records)).to_pylist()
        for order in (lines, lines[::-1])
    ]

    assert verdicts[0] == verdicts[1]
    assert verdicts[0][0]["pool"] == "normal"
