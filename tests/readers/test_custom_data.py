"""The custom_data scanner: its grammar, the published samples, and time linear in hostile text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poolsift.readers.antispam_report import parse_filter_summary
from poolsift.readers.custom_data import Item, first_value, items, values


@pytest.fixture
def samples(shared):
    lines = (shared / "facts/samples/custom_data_strings.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


class TestItems:
    def test_types_keys_and_values_come_apart(self):
        """Type, key and value are split at the first colon and the first equals sign."""
        assert list(items("S:A=1;Dbl:B=80.4;I32:C[DC-01]=1;F:D=")) == [
            Item("S", "A", "1"), Item("Dbl", "B", "80.4"), Item("I32", "C[DC-01]", "1"), Item("F", "D", ""),
        ]  # fmt: skip

    def test_a_value_keeps_its_equals_signs_bars_and_colons(self):
        """Only the first equals sign after the key separates."""
        assert list(items("S:SFA=SUM|SFV=SPM|H=a:b")) == [Item("S", "SFA", "SUM|SFV=SPM|H=a:b")]

    def test_a_quoted_item_may_hold_semicolons(self):
        """'...' wraps an item; what follows is read on."""
        assert list(items("S:A=1;'S:B=x=1;y=2;';S:C=3")) == [
            Item("S", "A", "1"), Item("S", "B", "x=1;y=2;"), Item("S", "C", "3"),
        ]  # fmt: skip

    def test_a_quoted_item_at_the_end(self):
        assert list(items("'S:B=it's;y'")) == [Item("S", "B", "it's;y")]

    def test_an_open_quote_is_an_ordinary_character(self):
        """Nothing after a quote that never closes is lost."""
        assert [item.key for item in items("'S:B=x;S:C=3")] == ["B", "C"]

    def test_an_equals_sign_in_brackets_belongs_to_the_key(self):
        assert list(items("I32:ATE.C[a=b]=1")) == [Item("I32", "ATE.C[a=b]", "1")]

    @pytest.mark.parametrize("text", ["", ";", ";;;", "=", "S:", "'", "''", "';", "no item", "S:=x"])
    def test_what_is_no_item_is_skipped(self, text):
        assert list(items(text)) == []

    def test_the_type_may_be_missing(self):
        assert list(items("OutboundIpPoolName=RegularRelayOutboundPool")) == [
            Item("", "OutboundIpPoolName", "RegularRelayOutboundPool")
        ]


class TestValues:
    def test_a_key_may_repeat(self):
        assert values("S:AMA=SUM|v=1;S:CompCost=;S:AMA=EV|x=2;", "AMA") == ["SUM|v=1", "EV|x=2"]

    def test_a_key_inside_a_value_is_not_a_key(self):
        """The name of a key quoted by another item's value says nothing."""
        assert values("S:Note=OutboundIpPoolName is missing;S:Other=x|OutboundIpPoolName=y", "OutboundIpPoolName") == []

    def test_case_of_the_key_is_ignored_and_of_the_value_kept(self):
        assert first_value("S:OutboundIPPoolName= RegularRelayOutboundPool ", "OutboundIpPoolName") == (
            "RegularRelayOutboundPool"
        )

    def test_the_integer_sibling_is_another_key(self):
        assert first_value("I32:OutboundIpPool=1022;S:OutboundIpPoolName=X", "OutboundIpPoolName") == "X"

    def test_an_empty_value_does_not_speak(self):
        assert first_value("S:OutboundIpPoolName=;S:x=1", "OutboundIpPoolName") is None

    @pytest.mark.parametrize("unit", ["'", "'S:", "[", "S:[=", ";'", "';'", "S:OutboundIpPoolName[", "=", "']"])
    def test_hostile_text_takes_linear_time(self, unit):
        """A megabyte of open quotes or brackets is read within a second."""
        text = unit * (1_000_000 // len(unit)) + "OutboundIpPoolName"
        start = time.perf_counter()
        values(text, "OutboundIpPoolName")

        assert time.perf_counter() - start < 5

    @given(st.lists(st.tuples(st.sampled_from("SF"), st.text("ab.[]", min_size=1), st.text("x=|; ")), max_size=6))
    def test_what_was_written_is_read(self, parts):
        """Items written by the grammar come back, values with semicolons in quotes."""
        parts = [part for part in parts if part[1].count("[") == part[1].count("]") == 0]
        text = ";".join(f"'{t}:{k}={v}'" if ";" in v else f"{t}:{k}={v}" for t, k, v in parts)

        assert list(items(text)) == [Item(*part) for part in parts]


class TestSamples:
    def test_the_documented_filter_entry(self, samples):
        """The documented sample: spam by SFV, pool number 1501, whatever DI says."""
        report = parse_filter_summary(values(samples[0], "SFA")[0])

        assert (report.spam, report.sfp, report.disposition) == (True, 1501, "SN")

    def test_every_published_value_is_read_in_full(self, samples):
        keys = [[item.key for item in items(line)] for line in samples]

        assert keys == [
            ["SFA"],
            ["AMA", "AMA", "AMA"],
            ["TRA"],
            ["AMA", "CompCost", "DeliveryPriority", "OriginalFromAddress", "AccountForest"],
            ["AS.TimeInAS", "ServiceTaskMetadata.ServiceCommandEnd", "AS.ReqStats", "WLM.BT", "WLM.TS", "BudgUse.T[]",
             "ATE.C[DC-01]", "ADS.AL[DC-01]"],
            ["ProxyHop1", "tlsversion", "tlscipher"],
        ]  # fmt: skip
