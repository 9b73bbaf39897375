"""Verdicts that are read again: the same verdicts without a change, and those of classifying anew with one."""

import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import poolsift
from poolsift.verdicts import OVERLAID, VERDICT_COLUMNS
from tests import strategies
from tests.overlays import OF_CONTOSO, WITHOUT_TENANT, changes, classifier, some_columns, table_of, written
from tests.reference.evidence import text
from tests.reference.overlay import Changes, sent_on
from tests.reference.worlds import CASES, Case

COUNT = 2_000
SAMPLE = 120
EVERYTHING = OF_CONTOSO[-1]
SINGLE = Case(tenants="single", compare=("2026-06",))
RECORD = {"mail_from": "ann@app.contoso.com", "recipient": "bob@partner.example", "spf": "fail", "dkim": "none"}


def leaving_no_trace(records, verdicts):
    """Rows that were sent on by a host, address, pool name or SFP which told no pool: verdicts alone do not show it."""
    told = verdicts["observed_from"].to_pylist()
    return {
        row
        for row, (record, source) in enumerate(zip(records.to_pylist(), told, strict=True))
        if sent_on(record) and source in {None, "reject_text"} and text(record, "recipient")
    }


def differing(one, other, but=frozenset()):
    """(row, column, one, other) of the first difference outside some rows."""
    assert one.column_names == other.column_names
    pairs = (
        (row, name, a, b)
        for name in one.column_names
        if not one[name].equals(other[name])
        for row, (a, b) in enumerate(zip(one[name].to_pylist(), other[name].to_pylist(), strict=True))
    )
    return next(((row, *rest) for row, *rest in pairs if rest[1] != rest[2] and row not in but), None)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_without_a_change_verdicts_stay(case):
    """Evidence, observation and key columns hold all that a verdict needs, under every profile and assumption."""
    records, asked = table_of(some_columns(CASES.index(case), COUNT)), classifier(case)
    verdicts = pa.table(asked.classify(records))

    assert differing(pa.table(asked.reclassify(written(records, verdicts))), verdicts) is None


@pytest.fixture(scope="module")
def archive():
    """The same records in three settings, with the verdicts without a change and the rows that leave no trace."""
    records, found = table_of(some_columns(1_000, COUNT)), {}
    for case in (Case(), SINGLE, Case(rules="by-date", assume=(), compare=("2021-07", "measured"))):
        verdicts = pa.table(classifier(case).classify(records))
        found[case] = written(records, verdicts), leaving_no_trace(records, verdicts)
    return records, found


@pytest.mark.parametrize(
    "overlay", [*WITHOUT_TENANT, *OF_CONTOSO], ids=lambda overlay: overlay.text().partition("\n")[0]
)
def test_every_kind_of_change_as_if_classified_with_it(archive, overlay):
    """Read again under an overlay, verdicts are those of classifying under it, `overlaid` too."""
    records, settings = archive
    for case, (rows, unseen) in settings.items():
        after = classifier(case, overlay)

        assert differing(pa.table(after.reclassify(rows)), pa.table(after.classify(records)), unseen) is None, case


@given(
    st.lists(strategies.records(), min_size=1, max_size=20), changes("single"), st.sampled_from(strategies.IP_ADDRESSES)
)
def test_any_changes_together(rows, overlay, source_ip):
    """The same for any records and any combination of changes."""
    records = table_of({name: [row.get(name) for row in rows] for name in strategies.COLUMNS})
    records = records.append_column("source_ip", pa.array([source_ip] * len(rows)))
    before, after = pa.table(classifier(SINGLE).classify(records)), classifier(SINGLE, overlay)
    anew, again = (pa.table(way) for way in (after.classify(records), after.reclassify(written(records, before))))

    assert differing(again, anew, leaving_no_trace(records, before)) is None
    assert differing(pa.table(classifier(SINGLE).reclassify(written(records, before))), before) is None


@settings(max_examples=20)
@given(st.integers(0, 10_000), changes("several"))
def test_outputs_of_all_columns_know_what_was_sent(seed, overlay):
    """With the columns that name the sending host, address or pool, nothing is left out of the comparison."""
    records = table_of(some_columns(seed, SAMPLE))
    before, after = pa.table(classifier(Case()).classify(records)), classifier(Case(), overlay)
    again = pa.table(after.reclassify(written(records, before, "all")))

    assert differing(again, pa.table(after.classify(records))) is None


def test_a_source_that_told_nothing_left_no_trace():
    """A recipient that becomes accepted: sent on by an unknown host counts as sent when classified, not when read again."""
    overlay = Changes(accept=OF_CONTOSO[0].accept)
    records = table_of({**{name: [value] for name, value in RECORD.items()}, "outbound_host": ["mail.example.com"]})
    records = records.set_column(1, "recipient", pa.array(["bob@home.example.com"]))
    after = classifier(SINGLE, overlay)
    before = pa.table(classifier(SINGLE).classify(records))

    assert pa.table(after.classify(records))["pool"].to_pylist() != ["not_outbound"]
    assert pa.table(after.reclassify(written(records, before)))["pool"].to_pylist() == ["not_outbound"]


@pytest.mark.parametrize("form", ["string", "dictionary", "large_string", "string_view"])
def test_word_columns_in_every_form(form):
    """Dictionaries as they are written, or plain strings of any layout."""
    types = {"string": pa.string(), "large_string": pa.large_string(), "string_view": pa.string_view()}
    records, after = table_of(some_columns(7, COUNT)), classifier(Case(), EVERYTHING)
    rows = written(records, pa.table(classifier(Case()).classify(records)))
    expected = pa.table(after.reclassify(rows))
    for place, field in enumerate(rows.schema):
        if pa.types.is_dictionary(field.type) and form != "dictionary":
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.string()).cast(types[form]))

    assert differing(pa.table(after.reclassify(rows)), expected) is None


def test_from_a_parquet_file_in_batches(tmp_path):
    """Read batch by batch from a file, evidence as any integer, the verdicts are the same."""
    records, after = table_of(some_columns(8, COUNT)), classifier(Case(), EVERYTHING)
    rows = written(records, pa.table(classifier(Case()).classify(records)))
    expected = pa.table(after.reclassify(rows))
    place = rows.schema.get_field_index("evidence")
    pq.write_table(rows.set_column(place, "evidence", rows["evidence"].cast(pa.int64())), tmp_path / "v.parquet")
    domains = after.domain_facts(from_evidence=True)
    batches = [
        pa.table(after.reclassify(batch, domains=domains))
        for batch in pq.ParquetFile(tmp_path / "v.parquet").iter_batches(batch_size=700)
    ]

    assert len(batches) == 3
    assert pa.concat_tables(batches).unify_dictionaries().combine_chunks().to_pylist() == expected.to_pylist()


def test_narrow_rows_are_enough_for_a_change_that_needs_no_more():
    """Columns that a change does not look at may be missing: publishing DNS needs the sender alone."""
    overlay = WITHOUT_TENANT[0]
    records, after = table_of(some_columns(9, COUNT)), classifier(Case(), overlay)
    before = pa.table(classifier(Case()).classify(records))
    narrow = written(records.select(["tenant_id", "mail_from", "header_from"]), before.select(["evidence"]))
    found, expected = pa.table(after.reclassify(narrow)), pa.table(after.classify(records))

    for name in ("pool", "rule", "evidence", "candidates", "sender_domain", OVERLAID):
        assert found[name].to_pylist() == expected[name].to_pylist(), name


class TestRefusals:
    def test_rows_without_evidence(self):
        """Records that nobody has classified are no verdicts."""
        with pytest.raises(ValueError, match=r"column 'evidence': missing; expected the verdicts of an earlier run"):
            list(classifier(Case()).reclassify(table_of(some_columns(1, 3))))

    @pytest.mark.parametrize(
        ("values", "found"), [([0, None], "null"), ([0, -1], "-1"), ([0, 3], "3"), ([0, 1 << 32], "4294967296")]
    )
    def test_what_is_no_evidence(self, values, found):
        """Null, out of range, or a fact with the fourth of three values: column, row and value are named."""
        with pytest.raises(ValueError, match=rf"column 'evidence', row 1: found {found}, expected the evidence"):
            list(classifier(Case()).reclassify(pa.table({"evidence": pa.array(values, pa.int64())})))

    def test_evidence_of_another_type(self):
        with pytest.raises(TypeError, match=r"column 'evidence': found string, expected an integer"):
            list(classifier(Case()).reclassify(pa.table({"evidence": ["0"]})))

    def test_what_is_no_arrow_data(self):
        with pytest.raises(TypeError, match="__arrow_c_stream__"):
            classifier(Case()).reclassify([{"evidence": 0}])

    def test_memos_of_the_other_kind(self):
        """A memo for classifying knows other things than one for reading again."""
        asked, rows = classifier(Case()), pa.table({"evidence": pa.array([0], pa.uint32())})
        with pytest.raises(ValueError, match="another classifier"):
            asked.reclassify(rows, domains=asked.domain_facts())
        with pytest.raises(ValueError, match="another classifier"):
            asked.classify(rows, domains=asked.domain_facts(from_evidence=True))


class TestClassifierWithOverlay:
    def test_columns(self):
        """`overlaid` stands after the verdict columns, the compared pools after it; nobody gets it without an overlay."""
        after = classifier(SINGLE, EVERYTHING)

        assert after.columns == (*VERDICT_COLUMNS, OVERLAID, "pool_2026_06")
        assert pa.table(after.classify(table_of(some_columns(1, 5)))).column_names == list(after.columns)
        assert pa.table(after.reclassify(pa.table({"evidence": pa.array([], pa.uint32())}))).column_names == list(
            after.columns
        )
        assert OVERLAID not in classifier(SINGLE).columns

    def test_an_empty_overlay_changes_nothing(self):
        """It is an overlay all the same: the column is there, and 0."""
        records = table_of(some_columns(1, COUNT))
        found = pa.table(classifier(SINGLE, Changes()).classify(records))

        assert found[OVERLAID].to_pylist() == [0] * COUNT
        assert differing(found.drop_columns(OVERLAID), pa.table(classifier(SINGLE).classify(records))) is None

    def test_pickles(self):
        """A process that is handed the classifier gives the same verdicts."""
        records, after = table_of(some_columns(2, COUNT)), classifier(SINGLE, EVERYTHING)
        other = pickle.loads(pickle.dumps(after))

        assert differing(pa.table(other.classify(records)), pa.table(after.classify(records))) is None

    def test_one_record(self):
        """A single verdict carries the column."""
        record = {**RECORD, "mail_from": "ann@supplier.example", "accepted": False}
        verdict = classifier(SINGLE, OF_CONTOSO[1]).classify_record(record)

        assert (verdict.pool, verdict.facts["accepted_domain"], verdict.overlaid) == ("normal", "yes", 1 << 5)
        assert set(verdict.compared) == {"pool_2026_06"}

    def test_the_profile_of_the_overlay_decides(self):
        """`rules` takes the place of the profile that was asked for."""
        overlay = poolsift.Overlay.parse("rules 2026-06")

        assert poolsift.Classifier(rules="2016-08", overlay=overlay).rules.name == "2026-06"
