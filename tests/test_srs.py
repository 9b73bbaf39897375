"""Addresses rewritten by the Sender Rewriting Scheme."""

from datetime import UTC, date, datetime

import pytest

from poolsift.srs import decode_srs


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
