"""Received values of the servers that are met, and their dates."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.readers.header_dates import header_date
from poolsift.readers.received import Hop, parse_received

SUFFIXES = (".outbound.protection.outlook.com",)
HELO = "EUR04-HE1-obe.outbound.protection.outlook.com"
HOST = "mail-he1eur04on2082.outbound.protection.outlook.com"


class TestForms:
    def test_postfix(self):
        """The name that was found stands before the bracketed address; TLS comments are passed over."""
        hop = parse_received(
            f'from {HELO} ({HOST} [40.107.7.82]) (using TLSv1.2 with cipher X (256/256 bits)) (Client CN "m.example", '
            'Issuer "CA (1)" (verified OK)) by mx.example.net (Postfix) with ESMTPS id 54B8F for <ann@example.net>; '
            "Tue, 17 May 2022 07:33:53 -0700 (PDT)"
        )

        assert hop == Hop(
            HELO,
            HOST,
            "40.107.7.82",
            "mx.example.net",
            "ann@example.net",
            None,
            "Tue, 17 May 2022 07:33:53 -0700 (PDT)",
        )
        assert hop.time == datetime(2022, 5, 17, 14, 33, 53, tzinfo=UTC)
        assert hop.host_under(SUFFIXES) == HOST
        assert not hop.by_microsoft

    def test_postfix_ipv6(self):
        """The IPv6 tag of an address literal is dropped."""
        assert (
            parse_received(f"from {HELO} ({HOST} [IPv6:2a01:111:f400:7e8a::609]) by mx").address
            == "2a01:111:f400:7e8a::609"
        )

    def test_an_unknown_reverse_name(self):
        """Where no name was found the greeting speaks."""
        hop = parse_received(f"from {HELO} (unknown [40.107.7.82]) by mx.example.net (Postfix); x")

        assert (hop.reverse_name, hop.host_under(SUFFIXES), hop.time) == (None, HELO, None)

    def test_sendmail_that_doubts(self):
        """A name that may be forged is not one that was found."""
        hop = parse_received(f"from {HELO} ({HOST} [198.51.100.7] (may be forged)) by mx.example.net (8.15.2/8.15.2)")

        assert (hop.helo, hop.reverse_name, hop.address) == (HELO, None, "198.51.100.7")

    def test_exim(self):
        """Exim writes the found name first, the greeting inside, MAIL FROM in a comment of its own."""
        hop = parse_received(
            f"from {HOST} ([40.107.7.82]:41312 helo={HELO}) by mx.example.net with esmtps (TLS1.2) (Exim 4.90_1) "
            "(envelope-from <bounces+SRS=44ldt=IX@contoso.com>) id 1abc-000 for ann@example.net; Tue, 17 May 2022 14:33:53 +0000"
        )

        assert (hop.helo, hop.reverse_name, hop.address) == (HELO, HOST, "40.107.7.82")
        assert (hop.mail_from, hop.recipient) == ("bounces+SRS=44ldt=IX@contoso.com", "ann@example.net")

    def test_exim_unverified_and_the_null_path(self):
        """Without a name Exim begins with the address."""
        hop = parse_received(f"from [40.107.7.82] (port=41312 helo={HELO}) by mx.example.net (envelope-from <>); x")

        assert (hop.helo, hop.reverse_name, hop.address, hop.mail_from) == (HELO, None, "40.107.7.82", "<>")

    def test_zmailer(self):
        """The greeting stands in quotes; semicolons and ORCPT inside comments mean nothing."""
        hop = parse_received(
            'from mx1.example ([203.0.113.10]:60968 "EHLO mx1.example" rhost-flags-OK-OK) by vger.example with ESMTP '
            "id S1 (ORCPT <rfc822;ann@example.net>); Tue, 17 May 2022 10:33:55 -0400"
        )

        assert (hop.helo, hop.reverse_name, hop.address) == ("mx1.example", "mx1.example", "203.0.113.10")
        assert (hop.by, hop.recipient, hop.time) == (
            "vger.example",
            None,
            datetime(2022, 5, 17, 14, 33, 55, tzinfo=UTC),
        )

    def test_qmail(self):
        """The greeting and the address stand in comments of their own."""
        hop = parse_received(
            f"from {HOST} (HELO {HELO}) (40.92.1.2) by mx.example.net with SMTP; 17 May 2022 14:33:53 -0000"
        )

        assert (hop.helo, hop.reverse_name, hop.address) == (HELO, HOST, "40.92.1.2")

    def test_exchange(self):
        """Microsoft's servers are told by their names; their addresses stand in comments."""
        hop = parse_received(
            "from DB7PR03MB4972.eurprd03.prod.outlook.com (2603:10a6:10:7d::22) by VI1PR03MB1.eurprd03.prod.outlook.com "
            "(2603:10a6:800::5) with Microsoft SMTP Server (version=TLS1_2, cipher=X) id 15.20; Tue, 17 May 2022 14:33:50 +0000"
        )

        assert (hop.helo, hop.address, hop.by_microsoft) == (
            "DB7PR03MB4972.eurprd03.prod.outlook.com", "2603:10a6:10:7d::22", True,
        )  # fmt: skip

    def test_mapi_with_a_scope(self):
        """A link-local address loses its scope."""
        assert (
            parse_received("from a.prod.outlook.com ([fe80::7e0d:1%4]) by b.prod.outlook.com with mapi").address
            == "fe80::7e0d:1"
        )

    def test_proofpoint(self):
        """Of an address written twice one is read."""
        assert (
            parse_received("from a.example (gw [127.0.0.1]) by b.example (203.0.113.1/203.0.113.1) with ESMTP").address
            == "127.0.0.1"
        )
        assert parse_received("from a.example (203.0.113.1/203.0.113.1) by b.example").address == "203.0.113.1"

    @pytest.mark.parametrize(
        "text", ["", "(qmail 1 invoked by uid 8); x", "by 10.0.0.1 with SMTP id x", "from", "from by", "; ;"]
    )
    def test_values_without_a_client(self, text):
        """A value that names no client is no error."""
        hop = parse_received(text)

        assert (hop.reverse_name, hop.address, hop.host_under(SUFFIXES)) == (None, None, None)

    def test_a_quoted_recipient(self):
        """A blank inside quotes does not end the address."""
        assert parse_received('from a by b for <"x y"@example.net>; z').recipient == '"x y"@example.net'

    def test_a_name_that_merely_ends_alike(self):
        """The suffix begins at a label."""
        assert (
            parse_received("from mail-x.outbound.protection.outlook.com.evil.example (1.2.3.4) by b").host_under(
                SUFFIXES
            )
            is None
        )


class TestDates:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("Wed, 30 Aug 2023 08:08:35 -0700 (PDT)", datetime(2023, 8, 30, 15, 8, 35, tzinfo=UTC)),
            ("19 Sep 2025 13:26:15.4785 (UTC)", datetime(2025, 9, 19, 13, 26, 15, 478500, tzinfo=UTC)),
            ("Mon,  7 Jul 2025 02:48:41 GMT", datetime(2025, 7, 7, 2, 48, 41, tzinfo=UTC)),
            ("1 Jan 49 00:00 EST", datetime(2049, 1, 1, 5, 0, tzinfo=UTC)),
            ("1 Jan 2020 00:00:00 -0000", datetime(2020, 1, 1, tzinfo=UTC)),
            ("31 Dec 2016 23:59:60 +0000", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
            ("31 Feb 2020 00:00:00 +0000", None),
            ("1 Jan 2020 25:00:00 +0000", None),
            ("1 Jan 2020 10:00:00 +9959", None),
            ("1 Jan 0001 00:00:00 +0100", None),
            ("yesterday", None),
            ("", None),
        ],
    )
    def test_dates(self, text, expected):
        """Real and impossible dates."""
        assert header_date(text) == expected


class TestHostileText:
    @pytest.mark.parametrize("piece", ['"', "(", "((a", "by ", "from ", "[", "for <", ";", "helo=", "(HELO", "a@"])
    def test_time_is_linear(self, piece):
        """256 KiB of any piece are read in little time."""
        started = time.process_time()
        parse_received("from " + piece * ((256 << 10) // len(piece)))

        assert time.process_time() - started < 5

    @given(st.text(alphabet=st.sampled_from('from by for;()[]"\\<>@.=1:') | st.characters(), max_size=200))
    def test_no_text_is_an_error(self, text):
        """Whatever the value holds, there is an answer."""
        hop = parse_received("from " + text)

        assert hop.time is None or hop.time.tzinfo is UTC
