"""Rule profiles: what they say, how they are refused, and every state of the evidence against a slow twin."""

import hashlib
import itertools
import random
import time
import tomllib
from importlib.resources import files

import pytest

from poolsift.errors import RulesError
from poolsift.evidence import FACTS, HARMLESS, Fact, Known, encode_evidence
from poolsift.fixes import FIX_NUMBERS, UNKNOWN_FIXES
from poolsift.rules import (
    BUILT_IN,
    DEFAULT_ASSUMPTIONS,
    DNS_OFF_ASSUMPTIONS,
    Profile,
    VerdictTable,
    all_rule_names,
    newest,
    parse_assume,
    select,
    table,
    valid_states,
)
from poolsift.tables import ndr_subject_prefixes, table_text
from poolsift.toml_text import TomlText
from poolsift.verdicts import POOLS, Pool

#: sha256 of each table without its comments and blank lines, beside its date: whoever edits a table
#: reads its source again, sets a new date and puts the new pair here.
DIGESTS = {
    "blocks": ("2026-11-23", "2c82add36f390bce"),
    "exchange_mx": ("2026-11-24", "c05bcad0584d034e"),
    "host_names": ("2026-11-23", "3606d7f3679b7442"),
    "ndr_subjects": ("2026-11-23", "50fb4a1c9c4173fc"),
    "pool_names": ("2026-11-23", "04b7a7835119b28a"),
    "prefixes": ("2026-11-23", "80a14d7ba0e5092a"),
    "profiles/2016-08": ("2016-08-24", "46fd41d63d9e4cab"),
    "profiles/2021-07": ("2021-07-27", "0ef19e922fd3d51a"),
    "profiles/2023-11": ("2023-11-03", "67f96c372bf5bcf2"),
    "profiles/2026-06": ("2026-06-25", "ec613490510ebddb"),
    "profiles/measured": ("2026-11-23", "5a50249e35a29504"),
    "senders": ("2026-11-23", "a4696c7a1fefc72d"),
    "sfp": ("2026-11-23", "d9acc0e013be800b"),
    "spf_excluded": ("2026-11-24", "7558cbb5ee2cf9df"),
    "special_use": ("2026-11-23", "b50f0ecb9c5492e3"),
    "timeline": ("2026-11-23", "fc941a06e3527c1f"),
    "uncapped_zones": ("2026-11-24", "c70d7b6d009ae80b"),
}


def digest(name):
    lines = [line for line in table_text(name).splitlines() if line.strip() and not line.startswith("#")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def shipped_names():
    root = files("poolsift").joinpath("data")
    return sorted(str(path.relative_to(root)).removesuffix(".toml") for path in root.rglob("*.toml"))


class TestShippedTables:
    @pytest.mark.parametrize("name", shipped_names())
    def test_table_changes_only_with_its_date(self, name):
        """A shipped table and its date are the pair that was reviewed."""
        found = (str(tomllib.loads(table_text(name))["date"]), digest(name))

        assert DIGESTS.get(name) == found

    @pytest.mark.parametrize("name", shipped_names())
    def test_table_names_its_source(self, name):
        """Every shipped table says where it is from."""
        assert tomllib.loads(table_text(name))["source"]

    @pytest.mark.parametrize("name", BUILT_IN)
    def test_every_rule_is_dated(self, name):
        """Every rule of a built-in profile has source and date."""
        profile = Profile.load(name)

        assert [rule.name for rule in profile.rules if not rule.source or rule.date is None] == []

    def test_ndr_subjects_fold_case(self):
        """The English and German beginnings are known, case ignored."""
        assert {"undeliverable:", "unzustellbar:"} <= set(ndr_subject_prefixes())


class TestProfiles:
    def test_order_of_the_default(self):
        """2023-11 has the rules of the contract in its order."""
        names = "not_outbound no_a_no_mx blocked ndr spam relay_unauthenticated normal"

        assert list(Profile.load("2023-11").rule_names) == names.split()

    def test_2026_06_ignores_dkim(self):
        """Since June 2026 DKIM no longer keeps mail out of the relay pool."""
        facts = {fact: Known.NO for fact in (Fact.ACCEPTED_DOMAIN, Fact.SPF_PASS, Fact.BLOCKED, Fact.NDR, Fact.SPAM)}
        facts |= {Fact.OUTBOUND: Known.YES, Fact.DOMAIN_RESOLVES: Known.YES, Fact.DKIM_PASS: Known.YES}
        pools = [
            VerdictTable(Profile.load(name), {}).decide(encode_evidence(facts)).pool for name in ("2023-11", "2026-06")
        ]

        assert pools == ["normal", "relay"]

    @pytest.mark.parametrize(
        ("name", "pool"), [("2016-08", "high_risk"), ("2021-07", "high_risk"), ("2023-11", "blocked")]
    )
    def test_blocked_mail_once_left_by_high_risk(self, name, pool):
        """Until March 2022 blocked mail was said to leave by the high-risk pool."""
        assert Profile.load(name).rule("blocked").pool == pool

    def test_2016_has_no_relay_rule(self):
        """There was no relay pool in 2016."""
        assert Profile.load("2016-08").rule("relay_unauthenticated") is None

    def test_newest_is_a_profile(self):
        assert newest() == "2026-06"

    def test_by_date_has_the_contract_boundaries(self):
        """by-date changes at 2021-07-27, 2022-03-23 and 2026-06-25 UTC; without time it is 2023-11."""
        selection = select("by-date")
        starts = [since // 86_400_000_000 for since, _ in selection.timeline[1:]]

        assert [profile.name for profile in selection.profiles] == ["2016-08", "2021-07", "2023-11", "2026-06"]
        assert starts == [18835, 19074, 20629]
        assert selection.profiles[selection.timeless].name == "2023-11"

    def test_all_rule_names_end_in_undetermined(self):
        names = all_rule_names([Profile.load("2023-11"), Profile.load("measured")])

        assert names[-1] == "undetermined"
        assert len(names) == len(set(names)) == 9


def combine_slowly(profile, state):
    """The contract read word by word: every completion of one state."""
    unknown = [i for i in range(8) if not state >> 2 * i & 3]
    pools, harmless = set(), None
    for values in itertools.product((1, 2), repeat=len(unknown)):
        full = state
        for i, value in zip(unknown, values, strict=True):
            full |= value << 2 * i
        rule = next(
            rule
            for rule in profile.rules
            if all(full >> 2 * FACTS.index(fact) & 3 == value for fact, value in rule.when)
        )
        pools.add(rule.pool)
        if all(value == HARMLESS[FACTS[i]] for i, value in zip(unknown, values, strict=True)):
            harmless = rule.name
    return pools, harmless


class TestTable:
    @pytest.mark.parametrize("name", BUILT_IN)
    @pytest.mark.parametrize(
        "assume", [{}, DEFAULT_ASSUMPTIONS, DNS_OFF_ASSUMPTIONS], ids=["none", "default", "dns off"]
    )
    def test_states_agree_with_the_slow_reading(self, name, assume):
        """Pool, rule and candidates of 400 states equal those found by walking all completions."""
        profile = Profile.load(name)
        verdicts = VerdictTable(profile, assume)
        for state in random.Random(7).sample(valid_states(), 400):
            known = state
            for fact, value in assume.items():
                shift = 2 * FACTS.index(fact)
                known |= 0 if known >> shift & 3 else value << shift
            pools, harmless = combine_slowly(profile, known)
            decision = verdicts.decide(state)

            assert {pool for i, pool in enumerate(POOLS) if decision.candidates >> i & 1} == pools
            assert decision.rule == (harmless if len(pools) == 1 else "undetermined")
            assert decision.pool == (pools.pop() if len(pools) == 1 else Pool.UNDETERMINED)

    @pytest.mark.parametrize("name", BUILT_IN)
    def test_fix_of_undetermined_states_changes_the_candidates(self, name):
        """An undetermined state asks for the first unknown fact that matters, in the contract's order."""
        profile = Profile.load(name)
        verdicts = VerdictTable(profile, {})
        for state in random.Random(8).sample(valid_states(), 300):
            decision = verdicts.decide(state)
            if decision.pool != Pool.UNDETERMINED:
                assert decision.fix is None
                continue
            unknown = [fact for fact in UNKNOWN_FIXES if not state >> 2 * FACTS.index(fact) & 3]
            matters = [
                fact
                for fact in unknown
                if any(
                    combine_slowly(profile, state | value << 2 * FACTS.index(fact))[0]
                    != combine_slowly(profile, state)[0]
                    for value in (1, 2)
                )
            ]

            assert decision.fix == UNKNOWN_FIXES[(matters or unknown)[0]]

    def test_packed_layout(self):
        """Four bytes a state: pool, rule, candidates, fix; states with a value of 3 are blank."""
        profile = Profile.load("2023-11")
        packed = table(profile, DNS_OFF_ASSUMPTIONS)
        state = encode_evidence({Fact.OUTBOUND: Known.YES, Fact.NDR: Known.NO, Fact.ACCEPTED_DOMAIN: Known.NO})
        decision = VerdictTable(profile, DNS_OFF_ASSUMPTIONS).decide(state)

        assert len(packed) == 65_536 * 4
        assert packed[4 * state : 4 * state + 4] == bytes((6, 7, 0b101, FIX_NUMBERS.index(decision.fix)))
        assert packed[12:16] == bytes((6, 7, 0, 255))

    def test_rule_numbers_follow_the_given_names(self):
        """Several profiles share one numbering of rules."""
        names = all_rule_names([Profile.load("2023-11"), Profile.load("measured")])
        packed = table(Profile.load("measured"), {}, names)
        state = encode_evidence(
            {**HARMLESS, Fact.SPAM: Known.YES, Fact.ACCEPTED_DOMAIN: Known.NO, Fact.SPF_PASS: Known.NO}
        )

        assert names[packed[4 * state + 1]] == "spam_relayed"

    def test_a_table_takes_less_than_a_second(self):
        start = time.perf_counter()
        table(Profile.load("2023-11"), {})

        assert time.perf_counter() - start < 1


def refusal(text):
    with pytest.raises(RulesError) as caught:
        Profile.parse(TomlText(text, "mine.toml", RulesError), "mine")
    return caught.value


class TestOwnProfiles:
    def test_is_loaded_from_a_file(self, tmp_path):
        path = tmp_path / "strict.toml"
        path.write_text('[[rule]]\nname = "all"\nwhen = {}\npool = "relay"\n')

        assert Profile.load(str(path)).rules[0].pool == "relay"
        assert Profile.load(str(path)).name == "strict"

    def test_unknown_profile_names_the_nearest(self):
        with pytest.raises(RulesError) as caught:
            Profile.load("2023-12")

        assert caught.value.nearest == "2023-11"
        assert caught.value.exit_code == 2

    def test_unknown_fact(self):
        error = refusal('[[rule]]\nname = "a"\nwhen = { spf_pas = "no" }\npool = "relay"\n')

        assert (error.line, error.found, error.nearest) == (3, "spf_pas", "spf_pass")

    def test_unknown_pool(self):
        error = refusal('[[rule]]\nname = "a"\nwhen = {}\npool = "realy"\n')

        assert (error.line, error.key, error.nearest) == (4, "rule[0].pool", "relay")

    def test_value_beyond_yes_and_no(self):
        assert (
            refusal('[[rule]]\nname = "a"\nwhen = { spam = "unknown" }\npool = "relay"\n').expected == '"yes" or "no"'
        )

    def test_last_rule_has_no_condition(self):
        assert refusal('[[rule]]\nname = "a"\nwhen = { spam = "no" }\npool = "relay"\n').line == 3

    def test_hidden_rule_names_its_hider(self):
        """A rule below a wider one can never fire."""
        text = (
            '[[rule]]\nname = "wide"\nwhen = { spam = "yes" }\npool = "relay"\n'
            '[[rule]]\nname = "narrow"\nwhen = { spam = "yes", ndr = "no" }\npool = "normal"\n'
            '[[rule]]\nname = "rest"\nwhen = {}\npool = "normal"\n'
        )

        assert "narrow can never fire: wide" in refusal(text).message

    def test_rule_hidden_by_two_names_both(self):
        """Two rules together can leave nothing."""
        text = (
            '[[rule]]\nname = "spam"\nwhen = { spam = "yes" }\npool = "relay"\n'
            '[[rule]]\nname = "ham"\nwhen = { spam = "no" }\npool = "normal"\n'
            '[[rule]]\nname = "rest"\nwhen = {}\npool = "normal"\n'
        )

        assert "rest can never fire" in refusal(text).message
        assert {"spam", "ham"} <= set(refusal(text).message.split())

    def test_unknown_key(self):
        error = refusal('[[rule]]\nname = "a"\nwen = {}\npool = "relay"\n')

        assert (error.line, error.found, error.nearest) == (3, "wen", "when")

    def test_syntax_error_names_the_line(self):
        assert refusal('[[rule]]\nname = "a\n').line == 2

    def test_double_name(self):
        rule = '[[rule]]\nname = "a"\nwhen = { spam = "no" }\npool = "relay"\n'

        assert refusal(rule + rule).line == 6


class TestAssumptions:
    def test_text(self):
        assert parse_assume("spf_pass=no, spam=yes") == {Fact.SPF_PASS: Known.NO, Fact.SPAM: Known.YES}

    def test_none_is_the_empty_set(self):
        assert parse_assume("none") == {}

    @pytest.mark.parametrize("text", ["spf=no", "spam", "spam=maybe", "spam=no,spam=yes", ""])
    def test_refusals(self, text):
        with pytest.raises(RulesError):
            parse_assume(text)

    def test_blocked_and_spam_are_assumed_no(self):
        assert DEFAULT_ASSUMPTIONS == {Fact.BLOCKED: Known.NO, Fact.SPAM: Known.NO}
        assert DNS_OFF_ASSUMPTIONS == {**DEFAULT_ASSUMPTIONS, Fact.DOMAIN_RESOLVES: Known.YES}
