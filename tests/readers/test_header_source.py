"""The address before a gateway: what Enhanced Filtering wrote down, else the Received chain, else unknown."""

import pytest

from poolsift.readers.base import ReadOptions
from poolsift.readers.headers import FORMAT
from poolsift.readers.rejects import FileReport
from poolsift.readers.source import Source

HOP = (
    "Received: from EUR04-HE1-obe.outbound.protection.outlook.com"
    " (mail-he1eur04on2082.outbound.protection.outlook.com [40.107.7.82])\n"
    "\tby mx.example.net (Postfix) with ESMTPS id 54B8F; Tue, 17 May 2022 07:33:53 -0700 (PDT)\n"
)
ENTRY = (
    "Received: from gw.contoso.com (203.0.113.100) by AM6EUR05FT013.mail.protection.outlook.com (10.233.240.165)"
    " with Microsoft SMTP Server id 15.20.1; Tue, 17 May 2022 14:33:50 +0000\n"
)
GATEWAY = "Received: from mail.supplier.example (mail.supplier.example [198.51.100.40]) by gw.contoso.com (Postfix) with ESMTPS id 1;\n\tTue, 17 May 2022 14:33:40 +0000\n"
BEFORE = "Received: from pc.supplier.example ([198.51.100.41]) by mail.supplier.example with ESMTPSA id 2; Tue, 17 May 2022 14:33:30 +0000\n"
SKIPPED = "X-MS-Exchange-SkipListedInternetSender: ip=[198.51.100.77];domain=supplier.example\n"
ORIGINAL = "X-MS-Exchange-ExternalOriginalInternetSender: ip=[198.51.100.78];domain=supplier.example\n"
FROM = "From: Ann <ann@supplier.example>\n"


def addresses(text):
    """(client_ip, source_ip) of the message."""
    data = (text + FROM).encode()
    (batch,) = FORMAT.read(Source(data), FileReport("test"), ReadOptions())
    return batch["client_ip"][0].as_py(), batch["source_ip"][0].as_py()


def received(client, by="gw.contoso.com"):
    return f"Received: {client} by {by} with ESMTP id 3; Tue, 17 May 2022 14:33:41 +0000\n"


def test_the_gateways_own_received_names_it():
    """The hop before the one into Microsoft 365; what lies before that is the sender's own affair."""
    assert addresses(HOP + ENTRY + GATEWAY + BEFORE) == ("203.0.113.100", "198.51.100.40")


@pytest.mark.parametrize(("fields", "source"), [(SKIPPED, "77"), (ORIGINAL, "78"), (ORIGINAL + SKIPPED, "77")])
def test_what_enhanced_filtering_wrote_stands_before_the_chain(fields, source):
    """The skip-listed header first, then the original sender's."""
    assert addresses(HOP + ENTRY + GATEWAY + fields)[1] == f"198.51.100.{source}"


def test_what_stands_above_the_outbound_hop_does_not_count():
    """It was written by whoever received the mail later."""
    assert addresses(SKIPPED + HOP + ENTRY + GATEWAY)[1] == "198.51.100.40"
    assert addresses(GATEWAY + HOP + ENTRY)[1] is None


@pytest.mark.parametrize(
    "client",
    [
        "from filter2.contoso.com (10.1.2.3)",
        "from gw.contoso.com (gw.contoso.com [203.0.113.100])",
        "from gw.contoso.com (gw.contoso.com [::ffff:203.0.113.100])",
        "from localhost (localhost [127.0.0.1])",
        "from localhost",
        "from filter2.contoso.com ([IPv6:fd00::3])",
        "from filter2.contoso.com ([IPv6:fe80::3%eth0])",
        "(from amavis@localhost)",
        "(qmail 4711 invoked by uid 0)",
    ],
)
def test_the_gateways_own_hosts_are_stepped_over(client):
    """Private and local addresses, its own address again, and hand-overs within one host."""
    assert addresses(HOP + ENTRY + received(client) + GATEWAY)[1] == "198.51.100.40"


@pytest.mark.parametrize(
    "client",
    [
        "from mail.supplier.example",
        "from unknown",
        "from mail.supplier.example (unknown [unknown])",
        "from a (b [999.1.1.1])",
    ],
)
def test_a_hop_that_hides_its_client_leaves_the_address_unknown(client):
    """Someone handed the message over there; an address further below is not his."""
    assert addresses(HOP + ENTRY + received(client) + BEFORE)[1] is None


def test_an_earlier_passage_through_microsoft_leaves_it_unknown():
    """The gateway wrote no Received of its own: the next one belongs to the earlier passage."""
    earlier = ENTRY.replace("gw.contoso.com", "mail.fabrikam.com").replace("203.0.113.100", "198.51.100.9")

    assert addresses(HOP + ENTRY + earlier + GATEWAY)[1] is None


def test_without_anything_there_is_none():
    """Neither header nor chain; a message that a mailbox handed in has no hop into Microsoft 365."""
    assert addresses(HOP + ENTRY) == ("203.0.113.100", None)
    assert addresses(HOP + GATEWAY) == (None, None)


@pytest.mark.parametrize("value", ["ip=[];domain=x", "domain=supplier.example", "ip=198.51.100.77", ""])
def test_a_field_without_an_address_leaves_it_to_the_chain(value):
    """It names nobody."""
    assert addresses(HOP + ENTRY + GATEWAY + f"X-MS-Exchange-SkipListedInternetSender: {value}\n")[1] == "198.51.100.40"


def test_ipv6():
    """Both ways of writing it in Received and in Exchange's field."""
    written = "from mail.supplier.example ([IPv6:2001:db8::40])"

    assert addresses(HOP + ENTRY + received(written))[1] == "2001:db8::40"
    assert addresses(HOP + ENTRY + SKIPPED.replace("198.51.100.77", "2001:db8::77"))[1] == "2001:db8::77"
