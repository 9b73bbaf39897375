"""What the summary says of forwarded mail, and the what-if commands it suggests."""

import shlex

import pytest

from poolsift import Tenant
from poolsift.analysis.summary_hints import whatif_hints
from poolsift.overlay import Overlay
from tests.test_summary import NORMAL, summary, text

RELAY = {**NORMAL, "pool": "relay", "rule": "relay_unauthenticated", "candidates": 4}
REWRITTEN = {"srs_sender": "s@x.example"}
BOUNCES = "bounces+SRS=7YXhB=MN@contoso.com"
TENANT = '[[tenant]]\nname = "contoso"\naccepted_domains = ["contoso.com"]\n'
FIRST = TENANT.replace("name", 'id = "a"\nname')
SECOND = '[[tenant]]\nname = "tailspin toys"\nid = "b"\naccepted_domains = ["tailspin.example"]\n'


def test_forwards_are_counted_by_used_pool_with_and_without_srs():
    """An observed pool is the used one unless only SFP told it; what was not forwarded is not counted."""
    rows = [
        ({"forwarded": True}, RELAY),
        ({"forwarded": True}, {**RELAY, "observed_pool": "normal", "observed_from": "pool_name"}),
        ({"forwarded": True}, {**NORMAL, "observed_pool": "relay", "observed_from": "sfp"}),
        ({"forwarded": True}, {**NORMAL, **REWRITTEN}),
        ({"forwarded": True, "mail_from": f"<{BOUNCES}>"}, NORMAL),
        ({"forwarded": True, "mail_from": "bounces+SRS=news@contoso.com"}, NORMAL),
        ({"forwarded": False}, RELAY),
        ({}, NORMAL),
    ]
    result = summary(rows)

    assert result["forwards"] == {
        "with_srs": {"normal": 2},
        "without_srs": {"normal": 3, "relay": 1},
        "srs_predicted_relay": 0,
    }
    assert "forwarded mail by pool used" in text(result)


def test_a_rewritten_sender_speaks_against_a_predicted_relay():
    """Senders are not rewritten in the relay pool: such records are counted, forwarded or not."""
    rows = [({}, {**RELAY, **REWRITTEN}), ({"forwarded": True, "mail_from": BOUNCES.upper()}, RELAY), ({}, RELAY)]
    result = summary(rows)

    assert result["forwards"]["srs_predicted_relay"] == 2
    assert "2 records have a sender rewritten by SRS and are predicted relay" in text(result)
    assert "rewritten by SRS" not in text(summary(rows[2:]))


def entry(domain, fix, records=1, pool="relay"):
    return {"sender_domain": domain, "pool": pool, "fix": fix, "records": records}


def test_suggestions_are_changes_with_the_records_they_stand_for():
    """At most three, by the order of the summary; addresses and gateways are left to --best."""
    found = {
        "top_domains": [
            entry("app.contoso.com", "accept_domain", 9),
            entry("supplier.example", "authorize_client_ip", 8),
            entry("gone.contoso.com", "publish_a_or_mx", 7, "high_risk"),
            entry("b.contoso.com", "accept_domain", 6),
            entry("x.example", "publish_a_or_mx", 5, "blocked"),
        ]
    }
    hints = whatif_hints(found, "my verdicts", Tenant.parse(TENANT))

    assert [shlex.split(line, comments=True)[3:] for line in hints] == [
        ["--accept-domain", "app.contoso.com"],
        ["--publish-dns", "gone.contoso.com"],
        ["--best", "10"],
    ]
    assert shlex.split(hints[0], comments=True)[2] == "my verdicts"
    assert "9 records" in hints[0]


def test_the_tenant_that_would_accept_a_domain_is_named():
    """The one that owns its parent, where the file has several."""
    (hint,) = whatif_hints(
        {"top_domains": [entry("a.tailspin.example", "accept_domain")]}, "o", Tenant.parse(FIRST + SECOND)
    )
    option = shlex.split(hint, comments=True)[4]

    assert Overlay.parse(f"accept-domain {option}").changes[0].tenant == "tailspin toys"


@pytest.mark.parametrize("found", [
    [], [entry(None, None)], [entry("x.example", "stop_forwarding")], [entry("x.example", "accept_domain")],
])  # fmt: skip
def test_nothing_to_suggest(found):
    """Reports of non-delivery, fixes that no overlay can try, and domains that no tenant of the file owns."""
    assert whatif_hints({"top_domains": found}, "o", Tenant.parse(TENANT)) == []
