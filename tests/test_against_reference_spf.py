"""Which rows SPF is evaluated for, and for what, equals the reference's choice on adversarial records."""

import zlib
from functools import cache
from ipaddress import ip_address
from random import Random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolsift
from poolsift._native.core import Kernel
from poolsift._native.nouns import DnsTable, SpfTable
from poolsift.evidence import Flag, decode_evidence
from poolsift.spf_inputs import spf_inputs
from tests.reference.accepted import read_tenant_file
from tests.reference.encodings import encode
from tests.reference.evidence import spf_pass
from tests.reference.spf_choice import choose
from tests.strategies import (
    BAD_ADDRESSES,
    DOMAINS,
    IP_ADDRESSES,
    SINGLE_TENANT,
    SPF,
    TENANTS,
    random_records,
    records,
)

WORDS = (None, "pass", "fail", "softfail", "neutral", "none", "permerror", "temperror")
INSIDE = ("10.0.0.1", "::ffff:10.0.0.1", "127.0.0.1", "fe80::1", "::1", "255.255.255.255", "ff02::1", "2603:10a6:1::1")
OUTSIDE = (
    "192.0.2.7",
    "::ffff:192.0.2.8",
    "198.51.100.7",
    "2001:db8:1::7",
    "203.0.113.7",
    "203.0.113.70",
    "203.0.113.80",
)
HELOS = (
    None,
    None,
    "",
    "mx.Example.com",
    "a b",
    "x" * 256,
    "ü",
    "[192.0.2.1]",
    "[IPv6:2001:DB8::1]",
    "[",
    "[]",
    *DOMAINS,
)
SOURCES = (None, *IP_ADDRESSES, *INSIDE, *OUTSIDE * 9)
FILES = {"several": TENANTS, "single": SINGLE_TENANT}


def kind_of(name):
    """Three ways to answer for a name: a program, an outcome by address and HELO name, one by local part too."""
    return zlib.crc32(name.encode()) % 3


def word_of(name, address, helo, local):
    """The made-up result, from exactly what it may depend on."""
    address = ip_address(address)
    kind = kind_of(name)
    if kind == 0:
        return zlib.crc32(f"{name} {address.version} {address.packed[0] >= 128}".encode()) % 8
    return zlib.crc32(repr((name, str(address), helo, local if kind == 2 else "")).encode()) % 8


class Source:
    """An SpfSource of these results; what was asked is kept."""

    def __init__(self):
        self.table, self.asked = SpfTable(), []

    def answer(self, asked):
        self.asked.extend(asked)
        for what, name, *rest in asked:
            if what == "outcome":
                self.table.add_outcome(name, *rest, word_of(name, *rest))
            elif kind_of(name) == 0:
                halves = ["0.0.0.0", "128.0.0.0"] if rest[0] == 4 else ["::", "8000::"]
                starts = b"".join(ip_address(half).packed for half in halves)
                self.table.add(name, rest[0], starts, bytes(word_of(name, half, "", "") for half in halves))
            else:
                self.table.add_uncompiled(name, rest[0], kind_of(name) == 2)


class Dns:
    """A source that knows no name."""

    path = sha256 = None
    table = DnsTable()


@cache
def classifier_of(file):
    """Built once: flattening the profiles takes longer than everything else here."""
    return poolsift.Classifier(poolsift.Tenant.parse(FILES[file]), dns=Dns())


def verdicts(file, table, source, newly=False):
    """Verdicts as rows; `newly`: gateways whose filtering is on have it from an overlay."""
    classifier = classifier_of(file)
    spec = spec_of(file) | {"spf": source and source.table}
    spec["tenants"] = [
        entry | {"gateways": [(p, n, 3 if newly and value == 0 else value) for p, n, value in entry["gateways"]]}
        for entry in spec["tenants"]
    ]
    classifier._kernel, classifier._spf = Kernel(spec), source
    return pa.table(classifier.classify(table)).to_pylist()


@cache
def spec_of(file):
    return classifier_of(file).spec()


def reference_tenants(file, folder):
    path = folder / "tenant.toml"
    path.write_text(FILES[file], encoding="utf-8")
    return read_tenant_file(path)[0]


def expected(record, tenants, newly):
    """(fact, spf_from, what an outcome would be asked with) of one record."""
    choice = choose(record, tenants, (lambda gateway: gateway.enhanced is True) if newly else (lambda _: False))
    if choice.inputs is not None:
        word = "none" if choice.is_none else WORDS[word_of(*choice.inputs)]
        return spf_pass(word), None if word is None else "evaluated", choice.inputs
    word = None if choice.replaced else choice.recorded
    return spf_pass(word), None if word is None else "joined" if record.get("joined") else "log", None


def check(found, tenants, file, newly, form="string", seed=0):
    """Compare one list of records, whose columns are all there."""
    columns = {name: [record.get(name) for record in found] for name in {name for one in found for name in one}}
    table = encode(columns, form, seed)
    source = Source()
    plain, evaluating = verdicts(file, table, None), verdicts(file, table, source, newly)
    wanted = [expected(record, tenants, newly) for record in found]
    for record, before, after, (fact, spf_from, _) in zip(found, plain, evaluating, wanted, strict=True):
        facts = decode_evidence(after["evidence"])
        assert (facts["spf_pass"], after["spf_from"]) == (fact, spf_from), record
        assert facts[Flag.SPF_EVALUATED] == (spf_from == "evaluated"), record
        assert (before["evidence"] ^ after["evidence"]) & ~(3 << 12 | 1 << 17) == 0, record
    inputs = {one for _, _, one in wanted if one and "." in one[0] and not one[0].startswith("[")}
    assert {one[1] for one in source.asked if one[0] == "program"} == {name for name, *_ in inputs}
    assert len(source.asked) == len(set(source.asked))
    outcomes = {(n, a, h, local if kind_of(n) == 2 else "") for n, a, h, local in inputs if kind_of(n)}
    assert {one[1:] for one in source.asked if one[0] == "outcome"} == outcomes
    return wanted


def made_up(seed, count):
    """Records of the generator, most without SPF, with a HELO name and an address before the gateway."""
    random = Random(seed)
    return [
        record
        | {
            "helo": random.choice(HELOS),
            "source_ip": random.choice(SOURCES),
            "client_ip": random.choice([record["client_ip"], *OUTSIDE, *OUTSIDE, *INSIDE]),
            "spf": random.choice([None, None, None, record["spf"]]),
        }
        for record in random_records(seed, count)
    ]


@pytest.mark.parametrize("newly", [False, True], ids=["as filed", "newly filtered"])
@pytest.mark.parametrize("file", sorted(FILES))
def test_choice_equals_the_reference(tmp_path, file, newly):
    """Facts, marks, and what was asked, over thousands of records; nothing else of the evidence changes."""
    found = made_up(len(file), 3_000)
    wanted = check(found, reference_tenants(file, tmp_path), file, newly)

    assert sum(spf_from == "evaluated" for _, spf_from, _ in wanted) > 500
    assert sum(spf_from is None for _, spf_from, _ in wanted) > 500


@pytest.mark.parametrize("form", ["dictionary", "small_dictionary", "binary_view", "large_string", "sliced", "mixed"])
def test_choice_equals_the_reference_in_every_arrow_form(tmp_path, form):
    """Likewise where columns are encoded, cut or of another layout."""
    wanted = check(made_up(7, 600), reference_tenants("several", tmp_path), "several", newly=True, form=form, seed=3)

    assert any(spf_from == "evaluated" for _, spf_from, _ in wanted)


@pytest.fixture(scope="module")
def tenants(tmp_path_factory):
    return reference_tenants("several", tmp_path_factory.mktemp("tenants"))


@given(found=st.data(), newly=st.booleans())
def test_choice_equals_the_reference_on_drawn_records(found, newly, tenants):
    """With free text in every column."""
    extra = {
        "helo": st.sampled_from(HELOS) | st.text(max_size=20),
        "source_ip": st.sampled_from(SOURCES + BAD_ADDRESSES),
        "spf": st.sampled_from([None, *SPF]),
    }
    drawn = [found.draw(records()) | found.draw(st.fixed_dictionaries({}, optional=extra)) for _ in range(3)]

    check([one | {"kind": one.get("kind")} for one in drawn], tenants, "several", newly)


def test_the_library_says_the_same_in_python(tmp_path):
    """`spf_inputs` is the kernel's choice written out."""
    tenants = reference_tenants("several", tmp_path)
    entries = poolsift.Tenant.parse(TENANTS)
    found = made_up(11, 3_000)
    both = [(spf_inputs(one, entries.entry(one["tenant_id"])), choose(one, tenants), one) for one in found]

    for inputs, choice, record in both:
        assert (inputs and inputs[:2]) == (choice.inputs and choice.inputs[:2]), record
        assert (inputs is not None and inputs.is_never_published) == choice.is_none, record
        assert choice.is_none or inputs == choice.inputs, record
    assert sum(inputs is not None for inputs, *_ in both) > 500
