"""Evidence, records and verdicts: the numbers every floor shares."""

import pickle
import subprocess
import sys

import pytest

import poolsift
from poolsift import errors
from poolsift.evidence import FACTS, FLAGS, Fact, Flag, Known, decode_evidence, encode_evidence, fact_value, has_flag
from poolsift.fixes import BLOCK_REASONS, FIX_NUMBERS
from poolsift.records import CANONICAL_COLUMNS, KEY_COLUMNS, RECORD_COLUMNS, record_schema
from poolsift.verdicts import (
    AGREEMENTS,
    OBSERVED_FROM,
    OBSERVED_POOLS,
    POOLS,
    SENDER_FROM,
    SPF_FROM,
    VERDICT_COLUMNS,
    candidate_pools,
    compare_column,
    used_pool,
    verdict_schema,
)


@pytest.mark.parametrize(
    ("words", "order"),
    [
        (POOLS, "normal high_risk relay relay_high_risk blocked not_outbound undetermined"),
        (OBSERVED_POOLS, "normal high_risk relay relay_high_risk consumer"),
        (OBSERVED_FROM, "pool_name outbound_host outbound_ip reject_text sfp"),
        (AGREEMENTS, "match compatible mismatch not_comparable unobserved"),
        (SENDER_FROM, "mail_from header_from trace"),
        (SPF_FROM, "log joined evaluated"),
        (FACTS, "outbound domain_resolves blocked ndr spam accepted_domain spf_pass dkim_pass"),
        (
            FLAGS,
            (
                "sender_from_header spf_evaluated joined p1_p2_disagree observed_conflict null_path_without_kind "
                "aaaa_only null_mx submitted"
            ),
        ),
        (
            BLOCK_REASONS,
            "restricted limit tenant_limit initial_domain forwarding allow_block_list tenant_restricted unregistered_domain",
        ),
        (
            FIX_NUMBERS,
            (
                "use_public_domain publish_a_or_mx use_accepted_sender unblock_sender reduce_volume use_own_domain "
                "allow_forwarding edit_block_list contact_microsoft register_domain stop_outbound_spam accept_domain "
                "enable_enhanced_filtering stop_forwarding authorize_client_ip investigate resolve_dns "
                "check_accepted_domains get_spf get_dkim get_direction get_kind get_status get_spam_verdict"
            ),
        ),
    ],
    ids=[
        "pools",
        "observed pools",
        "observed from",
        "agreement",
        "sender",
        "spf",
        "facts",
        "flags",
        "reasons",
        "fixes",
    ],
)
def test_numbers(words, order):
    """The place in each list is a number that the core uses."""
    assert " ".join(words) == order


class TestEvidence:
    def test_decodes_what_was_encoded(self):
        packed = encode_evidence({Fact.NDR: Known.YES, Fact.SPF_PASS: Known.NO}, [Flag.NULL_MX])
        words = decode_evidence(packed)

        assert packed == 2 << 6 | 1 << 12 | 1 << 23
        assert (words["ndr"], words["spf_pass"], words["spam"]) == ("yes", "no", "unknown")
        assert [name for name in FLAGS if words[name]] == ["null_mx"]
        assert fact_value(packed, Fact.NDR) is Known.YES
        assert has_flag(packed, Flag.NULL_MX)

    @pytest.mark.parametrize("evidence", [-1, 1 << 25, 3])
    def test_impossible_bits_are_refused(self, evidence):
        with pytest.raises(ValueError):
            decode_evidence(evidence)


class TestColumns:
    def test_canonical_columns(self):
        assert len(CANONICAL_COLUMNS) == 29
        assert RECORD_COLUMNS[-2:] == ("joined", "sender_from_trace")
        assert record_schema().names == list(RECORD_COLUMNS)

    def test_key_columns_are_those_of_the_contract(self):
        assert (
            " ".join(KEY_COLUMNS)
            == "input row rows tenant_id time message_id network_message_id direction kind mail_from header_from recipient "
            "recipient_count client_ip source_ip connector forwarded status status_code"
        )

    def test_verdict_columns(self):
        assert verdict_schema().names == list(VERDICT_COLUMNS)
        assert compare_column("2026-06") == "pool_2026_06"

    def test_candidates(self):
        assert candidate_pools(0b101) == ("normal", "relay")

    def test_used_pool_ignores_sfp(self):
        """SFP is the filter's choice, not where the message went."""
        assert used_pool("normal", "high_risk", "sfp") == "normal"
        assert used_pool("normal", "high_risk", "outbound_host") == "high_risk"
        assert used_pool("relay", None, None) == "relay"


class TestPublicNames:
    def test_all_is_sorted_and_loads(self):
        assert poolsift.__all__ == sorted(poolsift.__all__)
        for name in poolsift.__all__:
            assert getattr(poolsift, name) is not None

    def test_unknown_name(self):
        with pytest.raises(AttributeError):
            poolsift.Clasifier  # noqa: B018

    def test_import_stays_light(self):
        """Importing the package loads none of the heavy libraries, nor does building a classifier's rules."""
        heavy = [
            "pyarrow",
            "rich",
            "click",
            "orjson",
            "aiodns",
            "pycares",
            "dns",
            "spf",
            "duckdb",
            "publicsuffixlist",
            "idna",
            "msgspec",
        ]
        code = (
            "import sys, poolsift; "
            f"print(sorted(set({heavy}) & set(sys.modules))); import poolsift.classifier, poolsift.tenant; "
            "print(sorted({'pyarrow', 'rich', 'click', 'publicsuffixlist', 'idna'} & set(sys.modules)))"
        )
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

        assert out.stdout == "[]\n[]\n"

    def test_version_is_in_one_place(self):
        assert poolsift.__version__ == "0.1.0"


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (errors.UsageError("x"), 2),
            (errors.TenantFileError("x", path="t", line=3, key="k", found="f", expected="e", nearest="n"), 2),
            (errors.RejectLimitError(5, 1), 4),
            (errors.InputError("truncated", "ends early", "a.gz", 12), 5),
            (errors.OutputError("no_space", "disk full"), 6),
            (errors.DnsIncompleteError(1, 2), 7),
            (errors.LockedError("/tmp/x"), 8),
            (errors.LimitError("too large", limit=5, option="--max-row"), 9),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
    )
    def test_exit_code_and_facts_survive_pickling(self, error, code):
        copy = pickle.loads(pickle.dumps(error))

        assert (copy.exit_code, str(copy), vars(copy)) == (code, str(error), vars(error))

    def test_text_names_place_and_remedy(self):
        error = errors.TenantFileError(
            "unknown key", path="t.toml", line=3, key="a.b", found="b", expected="c", nearest="d"
        )

        assert str(error) == "t.toml, line 3: a.b: unknown key; found b; expected c; did you mean d?"
