"""Addresses rewritten by the Sender Rewriting Scheme."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift._native.nouns import is_srs, srs_original
from poolsift.srs import decode_srs
from tests.test_against_reference_nouns import srs_locals


@pytest.mark.parametrize(
    ("address", "form", "original", "forwarder"),
    [
        ("john.work+SRS=44ldt=IX=fabrikam.com=bob@contoso.com", "microsoft", "bob@fabrikam.com", "contoso.com"),
        ("a+b+SRS=44ldt=IX=fabrikam.com=bob=x@contoso.com", "microsoft", "bob=x@fabrikam.com", "contoso.com"),
        ("bounces+SRS=44ldt=IX@contoso.com", "bounces", None, "contoso.com"),
        ("bounces+srs=obr2j=p5@contoso.com", "bounces", None, "contoso.com"),
        ("SRS0=Hash=TT=example.com=ann@forwarder.example", "srs0", "ann@example.com", "forwarder.example"),
        ("SRS0+Hash=TT=example.com=ann@forwarder.example", "srs0", "ann@example.com", "forwarder.example"),
        ("SRS1=Out=one.example==Hash=TT=example.com=ann@two.example", "srs1", "ann@example.com", "two.example"),
        ("<SRS0=Hash=TT=example.com=ann@forwarder.example>", "srs0", "ann@example.com", "forwarder.example"),
        ("SRS0-Hash=TT=example.com=ann@forwarder.example", "srs0", "ann@example.com", "forwarder.example"),
        ("SRS1+Out=one.example=-Hash=TT=example.com=ann@two.example", "srs1", "ann@example.com", "two.example"),
        ("JOHN.WORK+SRS=44LDT=IX=FABRIKAM.COM=BOB@CONTOSO.COM", "microsoft", "BOB@FABRIKAM.COM", "CONTOSO.COM"),
        ("srs0=hash=tt=example.com=ann@forwarder.example", "srs0", "ann@example.com", "forwarder.example"),
        ("news+SRS=44ldt=IX@contoso.com", "bounces", None, "contoso.com"),
        ("a+SRS=44ldt=IX=not a domain=bob@contoso.com".replace(" ", "!"), "microsoft", None, "contoso.com"),
        (
            "x+SRS=44ldt=IX=two.example=SRS0=Hash=TT=one.example=ann@contoso.com",
            "microsoft",
            "SRS0=Hash=TT=one.example=ann@two.example",
            "contoso.com",
        ),
    ],
)
def test_forms(address, form, original, forwarder):
    """Whom each form holds, case ignored; the bounces form holds nobody."""
    srs = decode_srs(address)

    assert (srs.form, srs.original, srs.forwarder) == (form, original, forwarder)


@pytest.mark.parametrize(
    "address",
    [
        "bob@contoso.com",
        "",
        "<>",
        "bob+SRS=x@contoso.com",
        "SRS0=Hash=T1=example.com=ann@f.example",
        "SRS@x",
        "user+caf_=a=b@x",
    ],
)
def test_other_addresses(address):
    assert decode_srs(address) is None


@pytest.mark.parametrize(
    ("stamp", "day"),
    [("C7", date(2023, 7, 13)), ("V3", date(2022, 5, 19)), ("P5", date(2024, 8, 30)), ("p5", date(2024, 8, 30))],
)
def test_day_of_rewriting(stamp, day):
    """Stamps of real mail give the day it was sent."""
    srs = decode_srs(f"bounces+SRS=AbCd1={stamp}@contoso.com")

    assert srs.day(day) == day
    assert srs.day(datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC)) == day
    assert srs.day(day.replace(year=day.year + 1)) == day
    assert srs.is_plausible(day)
    assert not srs.is_plausible(day.replace(year=day.year - 1))


CASES = [str.lower, str.upper, str.swapcase, str]


@given(srs_locals(), st.sampled_from(["contoso.com", "Contoso.COM.", "[192.0.2.1]", "-bad"]), st.sampled_from(CASES))
def test_the_core_and_python_agree(local, domain, fold):
    """What is an SRS address and whom it holds, in every case that a log may have put it in."""
    address = fold(f"{local}@{domain}")
    srs = decode_srs(address)

    assert is_srs(address) == (srs is not None)
    assert (srs.original if srs else None) == srs_original(address)


@given(srs_locals())
def test_case_does_not_matter(local):
    """A log that folds addresses keeps form, stamp and sender; the hash only loses its case."""
    found = [decode_srs(fold(f"{local}@contoso.com")) for fold in CASES]
    parts = {srs and (srs.form, srs.stamp, (srs.original or "").lower(), srs.hash.lower()) for srs in found}

    assert len(parts) == 1


def test_published_addresses(shared):
    """The documented samples and those of public mail: all are SRS, and the day of the real ones is near their mail's."""
    rows = [line.split("\t") for line in (shared / "facts/samples/srs_addresses.txt").read_text().splitlines()[1:]]
    dated = [(decode_srs(address), date.fromisoformat(seen)) for address, seen, _ in rows if seen[:2] == "20"]

    assert all(decode_srs(address) for address, _, _ in rows)
    assert len(dated) == 3
    assert all(srs.is_plausible(day) for srs, day in dated)
