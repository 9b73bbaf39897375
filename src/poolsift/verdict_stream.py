"""Verdict columns as a stream: Arrow data in, batch by batch, verdicts out as they are pulled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from poolsift.classifier import Classifier
    from poolsift.domain_facts import DomainFacts
    from poolsift.verdicts import Verdict

#: Input batches beyond this many rows are sliced, so that a result batch stays of bounded size.
MAX_ROWS: Final = 1 << 20


class VerdictBatch:
    """One batch of verdicts: a struct array with ``__arrow_c_array__``, to be read as often as wanted."""

    def __init__(self, stream: VerdictStream, array: object) -> None:
        self._stream = stream
        self.array = array

    def __len__(self) -> int:
        from poolsift._native.arrow_c import array_length

        return array_length(self.array)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        from poolsift._native.arrow_c import array_view

        return self._stream.schema_capsule(), array_view(self.array)

    def rows(self) -> Iterator[Verdict]:
        """The batch's verdicts one by one; convenient, not fast."""
        from poolsift._native.arrow_rows import read_row

        schema = self._stream.schema_capsule()
        for row in range(len(self)):
            yield self._stream.classifier.verdict(read_row(schema, self.array, row))


@dataclass(frozen=True)
class VerdictStream:
    """Verdict columns of some Arrow data, computed as they are pulled; again from the start each time.

    Reading twice needs data that can be read twice. ``from_evidence``: the data are verdicts of an earlier run.
    """

    classifier: Classifier
    data: object
    domains: DomainFacts | None = None
    from_evidence: bool = False

    def __iter__(self) -> Iterator[VerdictBatch]:
        domains = self.domains if self.domains is not None else self._fresh_domains()
        for schema, array in input_batches(self.data):
            _, verdicts = self.classifier.classify_batch(schema, array, domains)
            yield VerdictBatch(self, verdicts)

    def schema_capsule(self) -> object:
        """The schema of the verdict columns, in a fresh capsule."""
        from poolsift._native.arrow_rows import one_row

        schema, _ = self.classifier.classify_batch(*one_row([]), self._fresh_domains())
        return schema

    def _fresh_domains(self) -> DomainFacts:
        return self.classifier.domain_facts(from_evidence=self.from_evidence)

    def __arrow_c_schema__(self) -> object:
        return self.schema_capsule()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        from poolsift._native.arrow_c import array_view, export_stream

        batches = iter(self)

        def next_array() -> object | None:
            batch = next(batches, None)
            return None if batch is None else array_view(batch.array)

        return export_stream(self.schema_capsule, next_array)


def input_batches(data: Any) -> Iterator[tuple[object, object]]:
    """(schema, array) capsules of some Arrow data, at most ``MAX_ROWS`` rows each."""
    from poolsift._native.arrow_c import array_length, array_view, open_stream

    if hasattr(data, "__arrow_c_array__"):
        schema, array = data.__arrow_c_array__()
        arrays: Iterator[object] = iter((array,))
    else:
        stream = open_stream(data.__arrow_c_stream__())
        schema = stream.schema()
        arrays = iter(stream.next_array, None)
    for array in arrays:
        rows = array_length(array)
        if rows <= MAX_ROWS:
            yield schema, array
            continue
        for start in range(0, rows, MAX_ROWS):
            yield schema, array_view(array, start, min(MAX_ROWS, rows - start))
