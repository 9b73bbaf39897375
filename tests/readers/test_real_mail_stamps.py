"""Every stamp made on arrival in 2,491 real messages is read: the reader compared with a plain search of the raw headers."""

import gzip
import re
from collections import Counter

import pyarrow as pa
import pytest

from poolsift import Classifier
from poolsift._native.nouns import DnsTable, SpfTable
from poolsift.evidence import decode_evidence
from poolsift.readers.base import ReadOptions
from poolsift.readers.headers import FORMAT
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source
from poolsift.records import SPF_WORDS

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


class OneWord:
    """An SpfSource by which every domain and address comes to one word."""

    def __init__(self, word):
        self.table = SpfTable()
        self._word = bytes([SPF_WORDS.index(word) + 1])

    def answer(self, asked):
        for _, name, family in asked:
            self.table.add(name, family, bytes(4 if family == 4 else 16), self._word)


class Dns:
    """A source of DNS that knows no name and brings SPF along."""

    path = sha256 = None

    def __init__(self, spf):
        self.table, self.spf = DnsTable(), spf


def test_evaluated_spf_never_stands_where_a_stamp_does(records):
    """Whatever an evaluation would come to: a stamped result stays, and only messages without one are evaluated.

    The headers lack MAIL FROM, without which nothing is evaluated; here each message is given one.
    """
    said = records["spf"].to_pylist()
    place = records.schema.get_field_index("mail_from")
    records = records.set_column(place, "mail_from", pa.array(["ann@sender.example"] * len(said)))
    origins: Counter[tuple[bool, str | None]] = Counter()
    for word, fact in (("pass", "yes"), ("fail", "no")):
        verdicts = pa.table(Classifier(dns=Dns(OneWord(word))).classify(records)).to_pylist()
        for stamped, row in zip(said, verdicts, strict=True):
            origins[stamped is not None, row["spf_from"]] += 1
            expected = {None: "unknown", "pass": "yes", "temperror": "unknown"}.get(stamped, "no")
            expected = fact if row["spf_from"] == "evaluated" and stamped is None else expected

            assert decode_evidence(row["evidence"])["spf_pass"] == expected

    assert origins[True, "log"] == 2 * 616
    assert origins[False, "evaluated"] == 2 * 64
    assert origins.total() == 2 * 2491
    assert {spf_from for stamped, spf_from in origins if stamped} == {"log"}
