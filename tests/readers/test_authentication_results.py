"""The stamps of Microsoft 365 and of RFC 8601, and time linear in hostile text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.readers.authentication_results import parse_authentication_results as parse

RELAYED = (
    "spf=softfail (sender IP is 203.0.113.11) smtp.mailfrom=contoso.com; dkim=none (message not signed) "
    "header.d=none;dmarc=fail action=none header.from=fabrikam.com;"
)


class TestMicrosoft:
    def test_the_stamp_on_relayed_mail(self):
        """Microsoft's form names no authserv-id and gives the client in a comment."""
        stamp = parse(RELAYED)

        assert (stamp.authserv_id, stamp.instance) == (None, None)
        assert (stamp.spf, stamp.spf_client_address, stamp.mail_from) == ("softfail", "203.0.113.11", "contoso.com")
        assert (stamp.dkim, stamp.dkim_domains) == ("none", [])
        assert (stamp.dmarc, stamp.header_from) == ("fail", "fabrikam.com")
        assert not stamp.made_at_submission

    def test_a_submission_stamp_is_told(self):
        """No spf=, header.d=none and dmarc=none: the stamp of a mailbox that hands mail in."""
        text = "dkim=none (message not signed) header.d=none;dmarc=none action=none header.from=contoso.com;"

        assert parse(text).made_at_submission
        assert not parse("spf=none (sender IP is 203.0.113.1) smtp.mailfrom=a.example; " + text).made_at_submission
        assert not parse("dkim=pass header.d=contoso.com;dmarc=none header.from=contoso.com").made_at_submission

    def test_the_old_form_with_recipient_domains_between(self):
        """Before about 2020 the recipient's domain stood between the results."""
        stamp = parse(
            "spf=pass (sender IP is 203.0.113.9) smtp.mailfrom=a.example; b.example; dkim=pass (signature was verified)"
            " header.d=a.example;b.example; dmarc=bestguesspass action=none header.from=a.example;"
        )

        assert (stamp.authserv_id, stamp.spf, stamp.dkim, stamp.dkim_domains, stamp.dmarc) == (
            None, "pass", "pass", ["a.example"], "bestguesspass",
        )  # fmt: skip

    def test_arc(self):
        """An ARC value begins with its instance, then who wrote it and the version."""
        stamp = parse(
            "i=1; mx.microsoft.com 1; spf=fail (sender ip is 2001:db8::1) smtp.rcpttodomain=b.example"
            " smtp.mailfrom=a.example; dmarc=fail (p=none sp=quarantine pct=100) action=oreject header.from=a.example;"
            " dkim=none (message not signed); arc=pass (0 oda=1 ltdi=1 spf=[1,1,smtp.mailfrom=c.example])"
        )

        assert (stamp.instance, stamp.authserv_id) == (1, "mx.microsoft.com")
        assert (stamp.spf, stamp.spf_client_address, stamp.mail_from) == ("fail", "2001:db8::1", "a.example")
        assert (stamp.dkim, stamp.dmarc, stamp.header_from) == ("none", "fail", "a.example")

    def test_compauth_is_its_own_method(self):
        """What is written about compauth is not taken for DMARC's."""
        stamp = parse("dmarc=fail action=none header.from=a.example;compauth=fail reason=001")

        assert [result.method for result in stamp.results] == ["dmarc", "compauth"]
        assert stamp.results[1].value("reason") == "001"

    def test_missing_semicolons(self):
        """A known method begins a new result even where the semicolon is missing."""
        stamp = parse("spf=pass (sender IP is 203.0.113.9) smtp.mailfrom=a.example dkim=fail header.d=a.example")

        assert (stamp.spf, stamp.mail_from, stamp.dkim) == ("pass", "a.example", "fail")

    @pytest.mark.parametrize("address", ["<IP address>", "", "unknown", "203.0.113.9x"])
    def test_a_sender_address_that_is_none(self, address):
        """Placeholders are not taken for an address."""
        assert parse(f"spf=none (sender IP is {address}) smtp.mailfrom=a.example").spf_client_address is None


class TestPublishedSamples:
    def test_relay_examples(self, shared):
        """The published and the recorded relay stamps are read in full."""
        text = (shared / "facts/samples/authres_relay_examples.txt").read_text(encoding="utf-8")
        lines = [line.partition(": ")[2] for line in text.splitlines() if "uthentication-Results: " in line]
        found = [
            (stamp.spf, stamp.spf_client_address, stamp.mail_from, stamp.dkim, stamp.dmarc, stamp.header_from)
            for stamp in map(parse, lines)
        ]

        assert found == [
            ("softfail", None, "contoso.com", "none", "fail", "contoso.com"),
            ("softfail", None, "proseware.com", "fail", "fail", "proseware.com"),
            ("softfail", "203.0.113.11", "org13.example", "none", "fail", "org13.example"),
            ("softfail", "203.0.113.11", "org13.example", "none", "fail", "org13.example"),
        ]
        assert [parse(line).authserv_id for line in lines] == [None, None, None, "mx.microsoft.com"]


class TestRfc8601:
    def test_none(self):
        """``none`` means that nothing was checked (RFC 8601 B.2)."""
        stamp = parse("example.org 1; none")

        assert (stamp.authserv_id, stamp.results) == ("example.org", ())

    def test_nested_comments_quoted_strings_and_versions(self):
        """The example of RFC 8601 B.7, with blanks where the grammar allows them."""
        stamp = parse(
            "foo.example.net (foobar) 1 (baz); dkim (Because I like it) / 1 (One yay) = (wait for it) fail policy"
            " (A dot can go here) . (like that) expired (this surprised me) = (as I wasn't expecting it) 1362471462"
        )

        assert stamp.authserv_id == "foo.example.net"

    def test_versions_and_reasons(self):
        """A method may name its version and a reason in quotes."""
        stamp = parse('example.com; SPF/1=Pass reason="all (good); = fine" smtp.mailfrom="a b"@example.net')

        assert (stamp.spf, stamp.mail_from) == ("pass", '"a b"@example.net')
        assert stamp.results[0].value("reason") == "all (good); = fine"

    def test_words_inside_quotes_and_comments_are_no_results(self):
        """A sender cannot smuggle in a result."""
        stamp = parse(
            'example.com; spf=fail (x; dkim=pass) smtp.mailfrom="x; dkim=pass header.d=evil.example"@a.example'
        )

        assert (stamp.spf, stamp.dkim) == ("fail", None)

    def test_any_passing_signature_passes(self):
        """DKIM passes if one signature does; the domains are those that passed."""
        stamp = parse(
            "example.com; dkim=fail header.d=a.example; dkim=pass header.d=b.example header.b=x=; "
            "dkim=pass header.d=c.example; dkim=pass header.d=b.example"
        )

        assert (stamp.dkim, stamp.dkim_domains) == ("pass", ["b.example", "c.example"])

    def test_an_unfinished_check_is_not_a_failure(self):
        """A temporary error beside a failure leaves the result open."""
        assert parse("example.com; dkim=fail header.d=a.example; dkim=temperror header.d=b.example").dkim == "temperror"

    def test_spf_of_mail_from_stands_before_that_of_helo(self):
        """Of two SPF results the one for MAIL FROM is meant."""
        assert parse("example.com; spf=pass smtp.helo=h.example; spf=none smtp.mailfrom=a.example").spf == "none"

    def test_an_empty_value(self):
        """An empty value does not swallow the next pair."""
        stamp = parse("spf=none (sender IP is ) smtp.mailfrom= dkim=none; dmarc=none")

        assert (stamp.spf, stamp.dmarc) == ("none", "none")


class TestHostileText:
    @pytest.mark.parametrize(
        "piece",
        ['"', '\\"', "(", ")", "(a", '("', ";", "=", "a=", "a=b ", " ", "((((((\\", "spf=pass ", '"a', "i=1;", "\x00"],
    )
    def test_time_is_linear(self, piece):
        """256 KiB of any piece are scanned within a second or two, whatever it opens and never closes."""
        text = piece * ((256 << 10) // len(piece))
        started = time.process_time()
        parse(text)

        assert time.process_time() - started < 5

    @given(st.text(alphabet=st.sampled_from('spfdkimarc=;()"\\ .\t\x00é<>') | st.characters(), max_size=200))
    def test_no_text_is_an_error(self, text):
        """Whatever the value holds, there is an answer."""
        stamp = parse(text)

        assert stamp.spf is None or isinstance(stamp.spf, str)
        assert all(domain for domain in stamp.dkim_domains)
