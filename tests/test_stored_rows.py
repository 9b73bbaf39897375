"""Rows of a finished output: tests on them hold for every row they must hold for, and sums stay in bounds."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.analysis.bounded_counts import BoundedCounts
from poolsift.analysis.stored_rows import StoredRows
from poolsift.writers.csv import formula_restored, formula_safe
from tests.reference.addresses import usable_domain
from tests.strategies import DOMAINS, LOCALS


def rows(**columns):
    return StoredRows(pa.record_batch(columns))


@given(
    st.sampled_from(LOCALS),
    st.sampled_from(DOMAINS),
    st.sampled_from(("{}", "<{}>", " <{}> ", "<@a.example:{}>", "{} ")),
)
def test_an_address_of_a_domain_is_never_passed_over(local, domain, form):
    """However it is written, an address whose domain the grammar finds ends in that domain."""
    text = form.format(f"{local}@{domain}")
    found = usable_domain(text)

    if found is not None:
        assert rows(header_from=pa.array([text])).may_end_in("header_from", found).tolist() == [True]


def test_other_domains_are_passed_over():
    batch = rows(recipient=pa.array(["a@partner.example", None, "", "A@APP.CONTOSO.COM.", "a@b.app.contoso.com"]))

    assert batch.may_end_in("recipient", "app.contoso.com").tolist() == [False, False, False, True, True]


@pytest.mark.parametrize("kind", [pa.string(), pa.dictionary(pa.int32(), pa.string())])
def test_sender_domains(kind):
    """Equal, or at any depth below; null is no domain."""
    names = pa.array(["contoso.com", "a.contoso.com", "xcontoso.com", None]).cast(kind)
    batch = rows(sender_domain=names)

    assert batch.sender_in("contoso.com").tolist() == [True, False, False, False]
    assert batch.sender_in("contoso.com", below=True).tolist() == [True, True, False, False]
    assert batch.recorded("sender_domain").tolist() == [True, True, True, False]


def test_recipients_count_at_least_one():
    batch = rows(recipient_count=pa.array([None, 3, 0, -2], pa.int32()))

    assert batch.recipients.tolist() == [1, 3, 1, 1]


def test_null_reverse_paths():
    batch = rows(mail_from=pa.array(["", "<>", " <> ", None, "a@b.example", " "]))

    assert batch.is_null_path().tolist() == [True, True, True, False, False, False]


class TestBoundedCounts:
    @given(
        st.lists(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 9)), max_size=12), max_size=8),
        st.integers(1, 8),
    )
    def test_no_key_can_lack_more_than_it_says(self, batches, most):
        """Kept or dropped, a key's true sum is at most what is listed and `missed` together."""
        counts, true = BoundedCounts(["key"], most), {}
        for batch in batches:
            keys, sums = [key for key, _ in batch], [count for _, count in batch]
            counts.add(
                pa.table(
                    {
                        "key": pa.array(keys, pa.string()),
                        "messages": pa.array(sums, pa.int64()),
                        "recipients": pa.array(sums, pa.int64()),
                    }
                )
            )
            counts._merge()
            for key, count in batch:
                true[key] = true.get(key, 0) + count
        listed = dict(zip(*(counts.table()[name].to_pylist() for name in ("key", "messages")), strict=True))

        assert len(listed) <= most
        assert all(listed.get(key, 0) <= count <= listed.get(key, 0) + counts.missed for key, count in true.items())
        assert len(true) > most or (counts.missed == 0 and listed == true)


@given(st.lists(st.none() | st.text("'=+-@;\n\tab＝", max_size=8)))
def test_cells_made_safe_are_read_back(values):
    """What the CSV writer puts before a formula the reader takes away again."""
    column = pa.array(values, pa.string())

    assert formula_restored(formula_safe(column)).to_pylist() == values
