"""Formats are told by content."""

import pytest

from poolsift.errors import InputError, UsageError
from poolsift.readers import FORMATS, formats_by_name
from poolsift.readers.detect import detect, named_format


def test_registry():
    """Every format loads under its own name."""
    assert list(FORMATS) == [entry.name for entry in formats_by_name().values()]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"PAR1\x15", "parquet"),
        (b"ARROW1\0\0", "arrow"),
        (b"\xff\xff\xff\xff\x10\0\0\0", "arrow"),
        (b"time,mail_from,recipient\n", "csv"),
        (b'"mail_from","recipient"\r\n', "csv"),
        (b'\n{"mail_from":"a@contoso.example","spf":"pass"}\n{"ma', "ndjson"),
        (b"", "csv"),
        (b"\n\n", "csv"),
    ],
)
def test_canonical(head, name):
    assert name == detect(head, "x").name


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b'[{"a":1}]', "JSON array"),
        (b'{"a":1}\n', "without the fields"),
        (b"<html>", "XML"),
        (b"a,b,c\n1,2,3\n", "'a', 'b', 'c'"),
        (b"\x00\x01\x02", "begins with"),
    ],
)
def test_unknown(head, words):
    """The error tells what was seen, what is known, and what overrides."""
    with pytest.raises(InputError, match=words) as caught:
        detect(head, "x.bin")

    assert "emailevents" in str(caught.value)
    assert "--format" in str(caught.value)


def test_named():
    assert "ndjson" == named_format("ndjson").name
    with pytest.raises(UsageError, match="did you mean ndjson"):
        named_format("ndjsn")
