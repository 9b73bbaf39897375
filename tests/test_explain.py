"""A verdict in words: where each fact came from, the rule and its source, and the way to the normal pool."""

from datetime import UTC, datetime

import pytest

from poolsift.classifier import Classifier
from poolsift.explain import block_reason, explain_verdict, fix_context
from poolsift.fixes import fix_for
from poolsift.tenant import Tenant

TENANT = Tenant.parse(
    '[[tenant]]\naccepted_domains = ["contoso.com"]\n[[tenant.gateway]]\nprefixes = ["203.0.113.0/24"]\n'
    "enhanced_filtering = false\n",
    "contoso.toml",
)
RELAYED = {
    "time": datetime(2024, 8, 30, tzinfo=UTC),
    "direction": "outbound",
    "mail_from": "billing@supplier.example",
    "recipient": "bob@partner.example",
    "client_ip": "203.0.113.5",
    "spf": "fail",
    "dkim": "none",
    "outbound_ip": "40.95.1.1",
}


@pytest.fixture(scope="module")
def classifier():
    return Classifier(TENANT)


def lines(classifier, record, **options):
    verdict = classifier.classify_record(record)
    return explain_verdict(record, verdict, classifier.tables["2023-11"], TENANT, **options)


class TestExplain:
    def test_relayed_message(self, classifier):
        """Every part of the answer is there, in order."""
        text = "\n".join(lines(classifier, RELAYED))

        assert text.startswith("pool: relay (the relay pool)\nsender domain: supplier.example, from mail_from\n")
        assert "spf_pass         no       SPF passed on arrival: spf = fail" in text
        assert (
            "accepted_domain  no       sender domain is accepted: supplier.example and the accepted domains of contoso.toml"
            in text
        )
        assert "domain_resolves  unknown  sender domain has an A or MX record: assumed yes; DNS was not asked" in text
        assert (
            "rule: relay_unauthenticated of profile 2023-11: accepted_domain = no, spf_pass = no, dkim_pass = no => relay"
            in text
        )
        assert "observed: relay, from outbound_ip: as predicted" in text
        assert "  1. enable_enhanced_filtering: " in text
        assert "   or sign_dkim: " in text

    def test_rule_names_its_source(self, classifier):
        assert any(line.startswith("  source: ") and "2023-11-03" in line for line in lines(classifier, RELAYED))

    def test_undetermined_lists_what_is_open(self, classifier):
        text = "\n".join(lines(classifier, {**RELAYED, "spf": None}))

        assert "still possible: normal, relay" in text
        assert "rule: none decides" in text
        assert "  1. get_spf: " in text

    def test_report_has_no_fix(self, classifier):
        assert lines(classifier, {**RELAYED, "kind": "ndr"})[-1].startswith("fix: none; by design")

    def test_normal_needs_nothing(self, classifier):
        record = {**RELAYED, "spf": "pass", "outbound_ip": None}

        assert lines(classifier, record)[-1] == "fix: none needed"
        assert "observed: nothing in the log shows the pool it really took" in lines(classifier, record)

    def test_unexplained_is_to_be_investigated(self, classifier):
        assert lines(classifier, {**RELAYED, "spf": "pass"})[-1].startswith("fix: investigate")

    def test_srs_sender_and_day(self, classifier):
        record = {**RELAYED, "mail_from": "ann+SRS=44ldt=P5=fabrikam.example=bob@contoso.com"}

        assert "rewritten by SRS on 2024-08-30; the original sender was bob@fabrikam.example" in lines(
            classifier, record
        )

    def test_srs_that_holds_nobody_and_srs_in_the_author(self, classifier):
        """The short form still tells the day; the address is the one that the sender domain comes from."""
        short = {**RELAYED, "mail_from": "bounces+srs=obr2j=p5@contoso.com"}
        author = {**RELAYED, "mail_from": None, "header_from": "SRS0=HHH=P5=fabrikam.example=bob@contoso.com"}

        assert "rewritten by SRS on 2024-08-30; the original sender is not in the address" in lines(classifier, short)
        assert "rewritten by SRS on 2024-08-30; the original sender was bob@fabrikam.example" in lines(
            classifier, author
        )

    def test_snapshot_is_named(self, classifier):
        assert any("supplier.example in dns.arrow" in line for line in lines(classifier, RELAYED, snapshot="dns.arrow"))

    def test_special_names_need_no_snapshot(self, classifier):
        text = "\n".join(lines(classifier, {**RELAYED, "mail_from": "scanner@mfp.local"}))

        assert "mfp.local cannot be in the public DNS" in text

    def test_text_of_the_log_cannot_write_lines(self, classifier):
        """Control characters are escaped, long cells cut."""
        record = {**RELAYED, "spf": "fail", "dkim": "none", "status_text": "550 a\r\npool: normal\x1b[2J" + "x" * 500}
        found = lines(classifier, record)

        assert not any("\n" in line or "\r" in line or "\x1b" in line for line in found)
        assert max(map(len, found)) < 400


class TestFixContext:
    @pytest.mark.parametrize(
        "change",
        [
            {},
            {"client_ip": None},
            {"client_ip": "::ffff:203.0.113.5"},
            {"client_ip": "198.51.100.1", "forwarded": True},
            {"client_ip": "198.51.100.1", "connector": "Inbound"},
            {"mail_from": "a@app.contoso.com"},
            {"mail_from": "a@[192.0.2.1]"},
        ],
    )
    def test_agrees_with_the_kernel(self, classifier, change):
        """explain finds the fix that the column holds."""
        record = {**RELAYED, **change}
        verdict = classifier.classify_record(record)
        found = fix_for(verdict.rule, fix_context(record, verdict, TENANT), block_reason(record))

        assert (verdict.rule, verdict.fix) == ("relay_unauthenticated", found)

    @pytest.mark.parametrize(
        ("code", "text", "reason"),
        [
            ("5.1.8", "Access denied, BAD outbound sender", "restricted"),
            (" 5.1.8 ", None, "restricted"),
            ("5.1.8", "Sender address rejected: Domain not found", None),
            ("5.2.2", None, None),
            ("5.2.2", "SubmissionQuotaExceeded; x", "limit"),
            ("5.7.236", "anything", "initial_domain"),
            ("5.7.1", None, None),
            (None, None, None),
        ],
    )
    def test_block_reasons(self, classifier, code, text, reason):
        """Section 5 of the contract; the verdict agrees."""
        record = {**RELAYED, "status": "failed", "status_code": code, "status_text": text}
        verdict = classifier.classify_record(record)

        assert block_reason(record) == reason
        assert (verdict.facts["blocked"] == "yes") == (reason is not None)
        if reason is not None:
            assert verdict.fix == fix_for("blocked", 0, reason)
