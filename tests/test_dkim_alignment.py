"""The fact dkim_pass cell by cell: exact, organizational and strange domains, several signatures, and what is not said."""

import pyarrow as pa
import pytest

import poolsift
from poolsift.evidence import FACTS, Fact, Known

SHIFT = 2 * FACTS.index(Fact.DKIM_PASS)
PASSED = {"dkim": "pass", "mail_from": "a@mail.supplier.example", "header_from": "a@mail.supplier.example"}


def fact(**columns):
    """dkim_pass of a record that passed for mail.supplier.example, but for what is given."""
    record = {name: value for name, value in {**PASSED, **columns}.items() if value is not None}
    verdicts = pa.table(poolsift.Classifier().classify(pa.table({name: [value] for name, value in record.items()})))
    return Known(verdicts["evidence"][0].as_py() >> SHIFT & 3).word


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        ("mail.supplier.example", "yes"),
        ("MAIL.Supplier.Example.", "yes"),
        ("supplier.example", "unknown"),  # the parent is enough for DMARC alone
        ("other.supplier.example", "unknown"),
        ("deep.mail.supplier.example", "unknown"),
        ("esp.example", "no"),
        ("supplier.example.esp.example", "no"),
        ("example", "no"),
    ],
)
def test_one_signature(domains, expected):
    """Exactly the From domain: yes. Only the organizational domain agrees: unknown. Another's signature: no."""
    assert expected == fact(dkim_domain=domains)


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        ("esp.example,mail.supplier.example", "yes"),
        ("supplier.example,mail.supplier.example", "yes"),
        (" mail.supplier.example , esp.example ", "yes"),
        ("esp.example,supplier.example", "unknown"),
        ("esp.example,another.example", "no"),
        ("esp.example,,another.example", "no"),
        ("esp.example,not a domain", "unknown"),
        ("not a domain,mail.supplier.example", "yes"),
    ],
)
def test_several_signatures(domains, expected):
    """One that is exact decides; else one that agrees by organization, or cannot be read, leaves it open."""
    assert expected == fact(dkim_domain=domains)


@pytest.mark.parametrize(
    ("domains", "expected"),
    [("shop.co.uk", "unknown"), ("b.shop.co.uk", "unknown"), ("other.co.uk", "no"), ("co.uk", "no")],
)
def test_organizational_domains_are_those_of_the_public_suffix_list(domains, expected):
    """Two registrants below one public suffix have nothing in common."""
    assert expected == fact(header_from="a@a.shop.co.uk", mail_from="a@a.shop.co.uk", dkim_domain=domains)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"header_from": None, "dkim_domain": "mail.supplier.example"}, "yes"),
        ({"mail_from": "b@esp.example", "dkim_domain": "mail.supplier.example"}, "yes"),
        ({"mail_from": "b@esp.example", "dkim_domain": "esp.example"}, "unknown"),
        ({"mail_from": "b@bounce.esp.example", "dkim_domain": "esp.example"}, "no"),
        ({"mail_from": "<>", "dkim_domain": "mail.supplier.example"}, "yes"),
        ({"header_from": "no address", "dkim_domain": "mail.supplier.example"}, "unknown"),
        ({"header_from": "a@[192.0.2.1]", "dkim_domain": "mail.supplier.example"}, "unknown"),
        ({"header_from": None, "mail_from": "<>", "dkim_domain": "mail.supplier.example"}, "unknown"),
    ],
)
def test_the_reference_is_the_from_domain(columns, expected):
    """That of MAIL FROM only where From is not recorded; MAIL FROM's own exact signature leaves it open."""
    assert expected == fact(**columns)


@pytest.mark.parametrize(
    ("dmarc", "spf", "expected"),
    [
        ("pass", "fail", "yes"),
        ("pass", "none", "yes"),
        ("pass", "temperror", "yes"),
        ("pass", "pass", "unknown"),
        ("pass", None, "unknown"),
        ("pass", "nonsense", "unknown"),
        ("fail", "fail", "unknown"),
        (None, "fail", "unknown"),
    ],
)
@pytest.mark.parametrize("domains", [None, "", " , "])
def test_without_a_domain_dmarc_tells_where_spf_cannot_have_done_it(dmarc, spf, domains, expected):
    """DMARC passes by DKIM or by SPF: where SPF is recorded and did not pass, DKIM did, for the From domain."""
    assert expected == fact(dkim_domain=domains, dmarc=dmarc, spf=spf)


@pytest.mark.parametrize(
    ("dkim", "expected"),
    [
        *((word, "no") for word in ("none", "fail", "policy", "neutral", "permerror")),
        *((word, "unknown") for word in ("temperror", "timeout", "nonsense", None)),
    ],
)
def test_other_results(dkim, expected):
    """Whatever domain stands beside them; an unfinished check is no failure."""
    assert expected == fact(dkim=dkim, dkim_domain="mail.supplier.example", dmarc="pass", spf="fail")
