"""Mutated trace files: rows in = records + rejects, and no exception but InputError."""

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from poolsift.errors import InputError
from poolsift.readers.custom_data import items
from poolsift.readers.emailevents import FORMAT as EMAILEVENTS
from poolsift.readers.extended import FORMAT as EXTENDED_FORMAT
from poolsift.readers.failure_text import enhanced_code
from poolsift.readers.recipient_status import recipient_statuses, split_list
from poolsift.readers.summary_trace import FORMAT as SUMMARY_FORMAT
from tests.readers.trace_files import EXTENDED, SUMMARY, csv_bytes, read_all

CELLS = st.one_of(
    st.sampled_from(
        [
            "", "<>", "a@x.example", "a@x.example;b@y.example", "a@x.example##Receive, Send;;", '"', "'", "##", ";",
            "SEND", "FAIL", "DSN", "EXPAND", "REDIRECT", "SMTP", "STOREDRIVER", "MAILBOXRULE", "AGENT", "Incoming", "1",
            "S:SFA=SUM|SFV=SPM|SFP=1501", "'S:A=b;c'", "S:OutboundIpPoolName=x", "[{LED=550 5.7.1 x};{MSG=", "\x00",
            "2024-05-02T08:00:00Z", "9999-99-99T99:99:99Z", "203.0.113.9", "postmaster@contoso.com", "Undeliverable: x",
            "MessageClass:REPORT.IPM.Note.NDR", "\ufeff", "a\r\nb",
        ]
    ),
    st.text(max_size=12),
)  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), CELLS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(CELLS, inner, max_size=3)),
    max_leaves=4,
)
FIELDS = (
    "Timestamp SenderMailFromAddress SenderFromAddress SenderIPv4 SenderObjectId RecipientEmailAddress Subject "
    "EmailDirection DeliveryAction DeliveryLocation ThreatTypes OriginalThreatTypes AuthenticationDetails Connectors "
    "ForwardingInformation ExchangeTransportRule NetworkMessageId tenantId properties records category"
).split()
EVENTS = st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=8)


def rows(columns):
    return st.lists(st.dictionaries(st.sampled_from(columns), CELLS, max_size=8), max_size=4)


def damaged(data, cuts):
    """The file with single bytes replaced; ``cuts`` are (place, byte)."""
    changed = bytearray(data)
    for place, byte in cuts:
        if changed:
            changed[place % len(changed)] = byte
    return bytes(changed)


CUTS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=3)


def check(reader_format, data):
    """read_all asserts that the counts agree."""
    with contextlib.suppress(InputError):
        read_all(reader_format, data)


@given(rows(EXTENDED), CUTS)
def test_extended(table, cuts):
    """Any cells in any column, and damage to the file."""
    check(EXTENDED_FORMAT, damaged(csv_bytes(table, EXTENDED), cuts))


@given(rows(SUMMARY), CUTS)
def test_summary(table, cuts):
    check(SUMMARY_FORMAT, damaged(csv_bytes(table, SUMMARY), cuts))


@given(st.lists(st.one_of(EVENTS, JSON), max_size=4), CUTS)
def test_emailevents(table, cuts):
    """Any value in any field, also where objects are due."""
    data = "".join(json.dumps(row) + "\n" for row in table).encode()

    check(EMAILEVENTS, damaged(data, cuts))


@given(st.lists(EVENTS, max_size=3))
def test_emailevents_wrapped(table):
    check(EMAILEVENTS, json.dumps({"records": table}).encode() + b"\n")


@given(st.text(alphabet="S:=;'[]|\"#@a, .", max_size=60))
def test_scanners_take_any_text(text):
    """No text breaks a scanner; lists lose no character but separators and outer spaces."""
    list(items(text))
    recipient_statuses(text)
    enhanced_code(text)
    for quote in "'\"":
        kept = "".join(split_list(text, quote)).replace(";", "").replace(" ", "")

        assert kept == text.replace(";", "").replace(" ", "")
