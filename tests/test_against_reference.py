"""Every verdict of the library equals the reference's, on adversarial records in every Arrow form and setting."""

import pyarrow as pa
import pytest
from hypothesis import given

from tests.reference.compare import Difference, differences
from tests.reference.encodings import FORMS, encode
from tests.reference.evidence import World
from tests.reference.verdict import VERDICT_COLUMNS, classify
from tests.reference.worlds import CASES, Case, classifier, reference_world
from tests.strategies import ODD_ADDRESSES, random_columns, random_records, records

COUNT = 4_000


def report(found: list[Difference]) -> str:
    return f"{len(found)} records differ\n" + "\n\n".join(str(difference) for difference in found[:3])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_setting(case):
    """Profiles, by-date, assumptions, comparisons, tenants and DNS on and off."""
    found = list(differences(random_columns(CASES.index(case), COUNT), case, "string"))

    assert not found, report(found)


@pytest.mark.parametrize("form", FORMS)
def test_every_arrow_form(form):
    """String, view, binary and dictionary columns, slices with offsets, uneven chunks, columns in any order."""
    found = list(differences(random_columns(100 + FORMS.index(form), COUNT), Case(), form, FORMS.index(form)))

    assert not found, report(found)


@pytest.mark.parametrize("column", sorted(random_columns(0, 1)))
def test_column_left_out_all_null_or_of_null_type(column):
    """A missing column, a column of nulls and a column of type null all mean *not recorded*."""
    columns = random_columns(200, 400)
    without = {name: values for name, values in columns.items() if name != column}
    found = list(differences(without, Case(), "string"))
    nulls = [None] * 400
    found += list(differences({**without, column: nulls}, Case(), "dictionary"))
    table = encode(without, "string")
    typeless = pa.table(classifier(Case()).classify(table.append_column(column, pa.nulls(400))))

    assert not found, report(found)
    assert typeless.equals(pa.table(classifier(Case()).classify(table)))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1_000])
def test_every_length(count):
    """Blocks and bitmaps end anywhere."""
    columns = random_columns(300 + count, count) if count else {name: [] for name in random_columns(0, 1)}
    for form in ("string", "sliced", "chunked"):
        if count:
            assert not (found := list(differences(columns, Case(), form, count))), report(found)
        else:
            assert pa.table(classifier(Case()).classify(encode(columns, form))).num_rows == 0


def test_one_record_at_a_time():
    """`classify_record` gives what `classify` gives."""
    world, whole = reference_world("several", dns=True), classifier(Case())
    for record in random_records(400, 300):
        verdict = whole.classify_record({name: value for name, value in record.items() if value is not None})
        expected = classify(record, world)

        assert {name: getattr(verdict, name) for name in VERDICT_COLUMNS} == expected, record


@pytest.mark.parametrize("seed", range(3))
def test_results_do_not_depend_on_what_came_before(seed):
    """One classifier, the same records in other batches and another order."""
    columns = random_columns(500 + seed, 900)
    table = encode(columns, "string")
    whole = pa.table(classifier(Case()).classify(table)).to_pylist()
    backwards = pa.table(classifier(Case()).classify(table.take(list(range(899, -1, -1))))).to_pylist()
    pieces = [pa.table(classifier(Case()).classify(table.slice(at, 100))).to_pylist() for at in range(0, 900, 100)]

    assert whole == backwards[::-1]
    assert whole == [row for piece in pieces for row in piece]


@given(record=records())
def test_any_record(record):
    """Records that Hypothesis makes up, free text in every column."""
    columns = {name: [value] for name, value in record.items()}
    if columns:
        found = list(differences(columns, Case(rules="by-date"), "string"))

        assert not found, report(found)


@pytest.mark.parametrize("address", ODD_ADDRESSES)
@pytest.mark.parametrize("column", ["mail_from", "header_from", "recipient"])
def test_odd_addresses(column, address):
    """Empty, null and broken addresses in each address column."""
    columns = {"mail_from": ["ann@contoso.com"], "recipient": ["bob@home.example.com"], column: [address]}
    found = list(differences(columns, Case(), "string"))

    assert not found, report(found)


BROKEN = [
    b"ann@conto\xffso.com",
    b"a\xc3@contoso.com",
    b"\xff",
    b"ann@b\xc3\xbccher.example",
    b"a@\xed\xa0\x80.com",
    b"\xf8@contoso.com",
]


@pytest.mark.parametrize(
    "column", ["mail_from", "header_from", "dkim_domain", "recipient", "outbound_ip", "outbound_host"]
)
def test_bytes_that_are_no_utf8(column):
    """Binary columns may hold anything; what is no UTF-8 is unusable and spoils nothing else."""
    world = reference_world("several", dns=True)
    table = pa.table({column: pa.array(BROKEN, pa.binary()), "dkim": pa.array(["pass"] * len(BROKEN))})
    found = pa.table(classifier(Case()).classify(table)).to_pylist()

    assert found == [
        classify({column: raw.decode("utf-8", "surrogateescape"), "dkim": "pass"}, world) for raw in BROKEN
    ]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", None])
def test_every_time_unit(unit, zone):
    """Dates decide prefixes and profiles whatever the unit; naive times are UTC."""
    columns = random_columns(600, 1_500)
    whole = [time.replace(microsecond=0) if time and time.year > 1970 else None for time in columns["time"]]
    columns["time"] = whole
    case = Case(rules="by-date")
    table = encode(columns, "string")
    at = table.column_names.index("time")
    times = pa.array([time and time.replace(tzinfo=None) for time in whole], pa.timestamp(unit))
    recast = table.set_column(at, "time", times.cast(pa.timestamp(unit, zone)) if zone else times)

    assert pa.table(classifier(case).classify(recast)).equals(pa.table(classifier(case).classify(table)))
    assert not list(differences(columns, case, "string"))


@pytest.mark.parametrize("size", [4, 16])
def test_packed_addresses(size):
    """Fixed-size binary addresses say what their text says."""
    texts = {4: ["40.95.1.1", "52.100.1.1"], 16: ["::ffff:40.95.1.1", "2a01:111:f403:a000::1"]}[size]
    import ipaddress

    packed = pa.array([ipaddress.ip_address(text).packed for text in texts], pa.binary(size))
    found = pa.table(classifier(Case()).classify(pa.table({"outbound_ip": packed}))).to_pylist()
    world: World = reference_world("several", dns=True)

    assert found == [classify({"outbound_ip": text}, world) for text in texts]
