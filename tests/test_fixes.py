"""The fix of a verdict, and the chain that ends in the normal pool."""

import pytest

from poolsift.evidence import HARMLESS, Fact, Known, encode_evidence
from poolsift.fixes import (
    BLOCK_REASONS,
    CONTEXTS,
    EFFECTS,
    FIX_NUMBERS,
    SIGN_DKIM,
    Context,
    Fix,
    after,
    chain,
    fix_for,
    fix_table,
)
from poolsift.rules import DEFAULT_ASSUMPTIONS, Profile, VerdictTable

RELAY = "relay_unauthenticated"


@pytest.mark.parametrize(
    ("rule", "context", "reason", "fix"),
    [
        ("no_a_no_mx", Context.SPECIAL_NAME | Context.OWN, None, "use_public_domain"),
        ("no_a_no_mx", Context.OWN, None, "publish_a_or_mx"),
        ("no_a_no_mx", 0, None, "use_accepted_sender"),
        ("blocked", 0, "restricted", "unblock_sender"),
        ("blocked", 0, "limit", "reduce_volume"),
        ("blocked", 0, "tenant_limit", "reduce_volume"),
        ("blocked", 0, "initial_domain", "use_own_domain"),
        ("blocked", 0, "forwarding", "allow_forwarding"),
        ("blocked", 0, "allow_block_list", "edit_block_list"),
        ("blocked", 0, "tenant_restricted", "contact_microsoft"),
        ("blocked", 0, "unregistered_domain", "register_domain"),
        ("blocked", 0, None, None),
        ("ndr", 63, None, None),
        ("spam", 0, None, "stop_outbound_spam"),
        ("spam_relayed", 0, None, "stop_outbound_spam"),
        (RELAY, 63, None, "accept_domain"),
        (RELAY, 63 & ~Context.OWN, None, "enable_enhanced_filtering"),
        (RELAY, Context.FORWARDED | Context.IN_GATEWAY, None, "stop_forwarding"),
        (RELAY, Context.IN_GATEWAY, None, "use_accepted_sender"),
        (RELAY, Context.CONNECTOR_KNOWN, None, "use_accepted_sender"),
        (RELAY, 0, None, "authorize_client_ip"),
        ("normal", 0, None, None),
        ("my_own_rule", 63, "limit", None),
    ],
)
def test_first_action(rule, context, reason, fix):
    """Section 6 of the contract, case by case."""
    assert fix_for(rule, context, reason) == fix


def test_table_is_the_function():
    """The kernel's table holds fix_for for every rule, reason and context."""
    rules = ["spam", RELAY, "blocked", "undetermined"]
    packed = fix_table(rules)
    for number, rule in enumerate(rules):
        for place, reason in enumerate((*BLOCK_REASONS, None)):
            for context in range(CONTEXTS):
                fix = fix_for(rule, context, reason)
                byte = packed[(number * 9 + place) * CONTEXTS + context]

                assert byte == (255 if fix is None else FIX_NUMBERS.index(fix))


def test_every_action_but_investigate_has_an_effect():
    assert set(EFFECTS) == {*Fix, SIGN_DKIM} - {Fix.INVESTIGATE}


def state(**facts):
    return encode_evidence({**HARMLESS, **{Fact(name): Known[value.upper()] for name, value in facts.items()}})


def actions(profile, evidence, context=0, reason=None):
    return [
        step.action
        for step in chain(VerdictTable(Profile.load(profile), DEFAULT_ASSUMPTIONS), evidence, context, reason)
    ]


class TestChain:
    def test_normal_needs_nothing(self):
        assert actions("2023-11", state()) == []

    def test_spam_then_relay(self):
        """Without the spam verdict the message would still take the relay pool."""
        evidence = state(spam="yes", accepted_domain="no", spf_pass="no", dkim_pass="no")

        assert actions("2023-11", evidence) == ["stop_outbound_spam", "authorize_client_ip", "sign_dkim"]

    def test_sign_dkim_only_where_dkim_counts(self):
        """Since June 2026 a signature does not help."""
        evidence = state(accepted_domain="no", spf_pass="no", dkim_pass="no")

        assert actions("2023-11", evidence) == ["authorize_client_ip", "sign_dkim"]
        assert actions("2026-06", evidence) == ["authorize_client_ip"]

    def test_chain_ends_in_normal(self):
        table = VerdictTable(Profile.load("2023-11"), DEFAULT_ASSUMPTIONS)
        evidence = state(
            domain_resolves="no", accepted_domain="no", spf_pass="no", dkim_pass="no", blocked="yes", spam="yes"
        )
        steps = chain(table, evidence, Context.SPECIAL_NAME | Context.OWN, "limit")

        assert [step.action for step in steps if not step.instead] == [
            "use_public_domain",
            "reduce_volume",
            "stop_outbound_spam",
            "accept_domain",
        ]
        assert [step.pool for step in steps][-1] == "normal"

    def test_reports_have_no_way_out(self):
        """Non-delivery reports leave by the high-risk pool by design."""
        assert actions("2023-11", state(ndr="yes")) == []
        assert actions("2023-11", state(ndr="yes", domain_resolves="no"), Context.OWN) == []

    def test_forward_can_only_end(self):
        evidence = state(accepted_domain="no", spf_pass="no", dkim_pass="no")
        steps = chain(VerdictTable(Profile.load("2026-06"), {}), evidence, Context.FORWARDED)

        assert [(step.action, step.pool) for step in steps] == [("stop_forwarding", "not_outbound")]

    def test_undetermined_asks_first(self):
        evidence = state(accepted_domain="no", spf_pass="unknown", dkim_pass="no")

        assert actions("2023-11", evidence) == ["get_spf"]

    def test_own_rule_has_no_known_way(self):
        from poolsift.errors import RulesError
        from poolsift.toml_text import TomlText

        text = '[[rule]]\nname = "mine"\nwhen = { spam = "no" }\npool = "relay"\n[[rule]]\nname = "rest"\nwhen = {}\npool = "normal"\n'
        profile = Profile.parse(TomlText(text, "mine.toml", RulesError), "mine")

        assert chain(VerdictTable(profile, {}), state()) == ()

    def test_after_changes_only_its_facts(self):
        assert after(state(spam="yes"), "stop_outbound_spam") == state()
