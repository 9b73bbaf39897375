"""The summary counts what the verdict columns say and shows it safely."""

import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from poolsift.analysis.domain_counts import DomainCounts
from poolsift.analysis.escaping import shown
from poolsift.analysis.summary import Summary
from poolsift.analysis.summary_text import print_on_terminal, summary_lines
from poolsift.evidence import Fact, Flag, Known, encode_evidence
from poolsift.readers.rejects import FileReport
from poolsift.verdicts import verdict_schema
from tests.test_writers import records

NOON = datetime(2024, 5, 2, 12, tzinfo=UTC)
NORMAL = {"pool": "normal", "rule": "normal", "evidence": 0, "candidates": 1, "agreement": "unobserved"}
SPAM = {**NORMAL, "pool": "high_risk", "rule": "spam", "candidates": 2, "fix": "stop_outbound_spam"}


def summary(rows, rules="2023-11", dns="off", assumed=None):
    """The summary of (record, verdict) pairs; the newest profile says what the verdict's `newest` says."""
    found = Summary(
        rules=rules, newest="2026-06", assumed={"domain_resolves": "yes"} if assumed is None else assumed, dns=dns
    )
    schema = verdict_schema()
    answers = pa.RecordBatch.from_pylist([{**NORMAL, **verdict} for _, verdict in rows], schema=schema)
    newest = pa.array([verdict.get("newest", verdict.get("pool", "normal")) for _, verdict in rows]).dictionary_encode()
    answers = answers.append_column("pool_2026_06", newest)
    batch = records([{"time": NOON, **record} for record, _ in rows])
    for start in range(0, len(rows), 2):
        found.add(batch.slice(start, 2), answers.slice(start, 2))
    return found.result()


def text(result):
    return "\n".join(summary_lines(result))


def test_pools_rules_and_agreement_are_counted():
    result = summary(
        [
            ({}, {}),
            ({}, {}),
            ({}, SPAM),
            ({}, {"observed_pool": "relay", "observed_from": "pool_name", "agreement": "mismatch"}),
        ]
    )

    assert result["records"] == 4
    assert result["pools"] == {"normal": 3, "high_risk": 1}
    assert result["by_rule"] == {"normal": 3, "spam": 1}
    assert result["agreement"] == {"unobserved": 3, "mismatch": 1}
    assert result["used_pools"] == {"normal": 2, "high_risk": 1, "relay": 1}
    assert re.search(r"normal +3 +75\.00%", text(result))


def test_the_first_line_says_that_dns_is_assumed():
    assert summary_lines(summary([({}, {})]))[0].startswith(
        "DNS is off: every sender domain that can exist is assumed to resolve"
    )


@pytest.mark.parametrize(("dns", "assumed"), [("dns.arrow", {"spam": "no"}), ("off", {})])
def test_it_does_not_say_so_where_it_is_not_assumed(dns, assumed):
    assert "assumed to resolve" not in text(summary([({}, {})], dns=dns, assumed=assumed))


def test_sender_domains_outside_the_normal_pool_are_ranked_with_their_fix():
    rows = [({}, {**SPAM, "sender_domain": name}) for name in ("b.example", "a.example", "b.example")]
    result = summary([*rows, ({}, {"sender_domain": "fine.example"})])

    assert result["top_domains"] == [
        {"sender_domain": "b.example", "pool": "high_risk", "fix": "stop_outbound_spam", "records": 2},
        {"sender_domain": "a.example", "pool": "high_risk", "fix": "stop_outbound_spam", "records": 1},
    ]


def test_spam_is_counted_by_its_origin():
    rows = [
        ({"submitted": True, "client_ip": "192.0.2.1"}, SPAM),
        ({"forwarded": True, "connector": "c"}, SPAM),
        ({"connector": "c"}, SPAM),
        ({"client_ip": "192.0.2.1"}, SPAM),
        ({"submitted": False}, SPAM),
        ({"submitted": True}, {}),
    ]

    assert summary(rows)["spam_origin"] == {
        "hosted_sender": 1,
        "forwarded": 1,
        "on_premises_or_connector": 2,
        "unknown": 1,
    }


def test_what_would_decide_the_undetermined_is_counted():
    rows = [({}, {"pool": "undetermined", "rule": "undetermined", "fix": "get_spf"})] * 2

    assert summary(rows)["undetermined"] == {"get_spf": 2}


def test_pool_names_that_do_not_speak_are_listed():
    rows = [
        ({"outbound_ip_pool_name": "NewPool"}, {}),
        (
            {"outbound_ip_pool_name": "RegularRelayOutboundPool"},
            {"observed_from": "pool_name", "observed_pool": "relay"},
        ),
        ({"outbound_ip_pool_name": ""}, {}),
        ({"outbound_ip_pool_name": "NewPool"}, {"observed_from": "outbound_ip", "observed_pool": "relay"}),
    ]

    assert summary(rows)["unseen_pool_names"] == {"NewPool": 2}


def test_what_the_newest_profile_would_change_is_counted():
    result = summary([({}, {"newest": "relay"}), ({}, {}), ({}, {})])

    assert result["newest_profile"] == {"name": "2026-06", "changed": 1}
    assert "rules 2026-06 would change 1 of 3 records (33.33%)" in text(result)


def test_records_without_time_are_counted_under_by_date_only():
    rows = [({"time": None}, {}), ({}, {})]

    assert summary(rows, rules="by-date")["timeless"] == 1
    assert summary(rows)["timeless"] == 0


def test_submitted_from_a_domain_outside_the_file_means_an_incomplete_file():
    outside = encode_evidence({Fact.ACCEPTED_DOMAIN: Known.NO}, [Flag.SUBMITTED])
    inside = encode_evidence({Fact.ACCEPTED_DOMAIN: Known.YES}, [Flag.SUBMITTED])
    unknown = encode_evidence({}, [Flag.SUBMITTED])
    rows = [
        ({}, {"evidence": bits, "sender_domain": f"{n}.example"}) for n, bits in enumerate((outside, inside, unknown))
    ]
    result = summary(rows)

    assert result["tenant_incomplete"] == {"records": 1, "domains": [{"sender_domain": "0.example", "records": 1}]}
    assert "tenant file looks incomplete" in text(result)
    assert "0.example" in text(result)


def test_field_errors_and_rejects_of_all_files_are_added():
    reports = [FileReport("a"), FileReport("b")]
    for report in reports:
        report.field_error("client_ip", 2)
        report.reject(row=1, code="utf8", message="m")
    result = Summary(rules="2023-11", newest="2026-06", assumed={}, dns="off").result(reports)

    assert result["field_errors"] == {"client_ip": 4}
    assert result["reject_codes"] == {"utf8": 2}
    assert "rejected rows, by reason" in text(result)


def test_values_from_logs_cannot_reach_the_terminal():
    hostile = "\x1b[31mred\u202ekrow\n"
    result = summary([({"outbound_ip_pool_name": hostile}, {**SPAM, "sender_domain": hostile})])

    assert "\x1b" not in text(result)
    assert "\u202e" not in text(result)
    assert "\\x1b[31mred\\u202ekrow\\x0a" in text(result)


def test_the_terminal_form_holds_the_same_words(capsys):
    print_on_terminal(summary([({}, {**SPAM, "sender_domain": "[bold]x\x1b"})]))
    shown_text = capsys.readouterr().err

    assert "[bold]x\\x1b" in shown_text
    assert "stop_outbound_spam" in shown_text


@pytest.mark.parametrize(("raw", "safe"), [
    ("plain ascii", "plain ascii"), ("münchen", "münchen"), ("例え.テスト", "例え.テスト"),
    ("a\tb", "a\\x09b"), ("\u200b", "\\u200b"), ("\u2028", "\\u2028"), ("\U000e0001", "\\U000e0001"), ("\x9b", "\\x9b"),
])  # fmt: skip
def test_hidden_characters_are_shown(raw, safe):
    assert shown(raw) == safe


def test_counts_of_domains_are_exact_below_the_cap_and_say_when_they_are_not():
    counts = DomainCounts(["d"], max_entries=3)
    counts.add(pa.table({"d": ["a", "b", "a", None]}))
    counts.add(pa.table({"d": ["a", "b", "c"]}))

    assert counts.top(2) == [{"d": "a", "records": 3}, {"d": "b", "records": 2}]
    assert counts.capped is True
    small = DomainCounts(["d"])
    small.add(pa.table({"d": ["a"]}))
    assert (small.top(5), small.capped) == ([{"d": "a", "records": 1}], False)
