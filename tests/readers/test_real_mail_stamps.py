"""Every stamp made on arrival in 2,491 real messages is read: the reader compared with a plain search of the raw headers."""

import gzip
import re
from collections import Counter

import pyarrow as pa
import pytest

from poolsift.readers.base import ReadOptions
from poolsift.readers.headers import FORMAT
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source

LEAVES = re.compile(
    r"Received: from [^;]*?(?:outbound\.protection|\.hotmail)\S*[^;]* by (?!\S*\.outlook\.com)", re.IGNORECASE
)
#: In the order in which they are asked: the name, what makes it Microsoft's own, what makes it one of a submission.
KINDS = [
    ("X-MS-Exchange-Authentication-Results: ", r"", r"^dkim=none \(message not signed\) header\.d=none;\s*dmarc=none"),
    ("Authentication-Results: ", r"^spf=", r"$^"),
    ("ARC-Authentication-Results: ", r"^i=\d+; mx\.microsoft\.com 1;.* spf=", r"spf=pass (?!\(sender ip)"),
]


def stamp_of(block):
    """The value of the stamp that counts in a raw header block, None when there is none."""
    lines = re.sub(r"\r?\n[ \t]+", " ", block).splitlines()
    leaves = next((number for number, line in enumerate(lines) if LEAVES.match(line)), -1)
    for name, ours, submission in KINDS:
        values = [line[len(name) :] for line in lines[leaves + 1 :] if line.lower().startswith(name.lower())]
        for value in values:
            if re.search(ours, value) and not re.search(submission, value):
                return value
    return None


def results_of(stamp):
    """(SPF, DKIM) words by pattern alone."""
    found = [re.search(rf"\b{method}=(\w+)", stamp or "") for method in ("spf", "dkim")]
    return tuple(match and match[1].lower() for match in found)


@pytest.fixture(scope="module")
def stamps(shared):
    text = gzip.decompress((shared / "real-mail/dev.mbox.gz").read_bytes()).decode("utf-8", "surrogateescape")
    return [stamp_of(block) for block in re.split(r"^From .* \d{4}$", text, flags=re.MULTILINE)[1:]]


@pytest.fixture(scope="module")
def records(shared):
    source = Source(str(shared / "real-mail/dev.mbox.gz"))
    return pa.Table.from_batches(FORMAT.read(source, FileReport("dev.mbox.gz"), ReadOptions()))


def test_every_stamp_is_read(stamps, records):
    """SPF and DKIM of each message are those of its stamp, none where there is none."""
    read = list(zip(records["spf"].to_pylist(), records["dkim"].to_pylist(), strict=True))

    assert [results_of(stamp) for stamp in stamps] == read


def test_how_many_messages_have_none(stamps, records):
    """Most of this mail was handed in by mailboxes, whose stamps say nothing of how it arrived."""
    words = [results_of(stamp) for stamp in stamps]

    assert Counter(stamp is not None for stamp in stamps) == {True: 616, False: 1875}
    assert Counter(spf is not None for spf, _ in words) == {True: 616, False: 1875}
