"""Names in Parquet files: columns that could be meant twice."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poolsift.engines.name_inputs import NameInputs
from poolsift.errors import InputError


def test_two_kind_columns_are_refused(tmp_path):
    """Nobody knows which of them says what a row names."""
    columns = [pa.array(["x.example"]), pa.array(["domain"]), pa.array(["spf"])]
    pq.write_table(pa.Table.from_arrays(columns, ["name", "kind", "Kind"]), tmp_path / "names.parquet")
    inputs = NameInputs([str(tmp_path / "names.parquet")])

    with pytest.raises(InputError, match="one of them is due"):
        list(inputs)
