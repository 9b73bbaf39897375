"""Hypothesis strategies for SPF: trees of records that shrink, and tables of addresses."""

from hypothesis import strategies as st

from tests.reference.spf_compile import BITS, Compiled
from tests.reference.spf_trees import draw_tree


def trees() -> st.SearchStrategy:
    """Trees of every shape; Hypothesis makes the choices, so a failure shrinks to few records and terms."""
    return st.randoms(use_true_random=False).map(draw_tree)


@st.composite
def tables(draw: st.DrawFn, family: int) -> Compiled:
    """Any table of the family: ascending starts from 0, any words; close starts and the ends of the space are likely."""
    most = (1 << BITS[family]) - 1
    crowd = (
        st.integers(0xC0000200, 0xC0000210) if family == 4 else st.integers(0x20010DB8 << 96, (0x20010DB8 << 96) + 16)
    )
    numbers = st.integers(1, most) | crowd | st.sampled_from([1, most, most - 1, (most >> 1) + 1])
    starts = (0, *sorted(draw(st.sets(numbers, max_size=40))))
    return Compiled(starts, bytes(draw(st.lists(st.integers(1, 7), min_size=len(starts), max_size=len(starts)))))
