"""The shipped tables of Microsoft 365's outbound addresses, hosts, pool names and SFP values."""

import ipaddress

import pytest

from poolsift.networks import PoolPrefix, load_networks, packed_prefix, parse_network, shipped_prefixes
from poolsift.verdicts import OBSERVED_POOLS, ObservedPool

DAY_US = 86_400_000_000


def days(year, month, day):
    import datetime as dt

    return (dt.date(year, month, day) - dt.date(1970, 1, 1)).days * DAY_US


def pool_at(address, time_us):
    """Longest prefix valid at a time; no time: entries without an end. A plain loop over the table."""
    address = ipaddress.ip_address(address)
    found = [
        (entry.network.prefixlen, entry.pool)
        for entry in shipped_prefixes()
        if address in entry.network
        and (
            entry.until_us is None
            if time_us is None
            else (entry.since_us or time_us) <= time_us < (entry.until_us or time_us + 1)
        )
    ]
    return max(found)[1] if found else None


@pytest.mark.parametrize(
    ("address", "when", "pool"),
    [
        ("40.94.255.255", None, None),
        ("40.95.0.0", None, "relay"),
        ("40.95.255.255", None, "relay"),
        ("40.96.0.0", None, None),
        ("40.93.1.1", None, "normal"),
        ("40.92.1.1", None, "consumer"),
        ("52.100.9.9", None, "high_risk"),
        ("52.101.138.1", (2019, 6, 1), "high_risk"),
        ("52.101.138.1", (2021, 1, 1), "normal"),
        ("52.101.138.1", None, "normal"),
        ("52.102.1.1", (2022, 12, 31), None),
        ("52.102.1.1", (2023, 1, 1), "high_risk"),
        ("52.103.127.255", None, "consumer"),
        ("52.103.199.12", (2019, 5, 1), None),
        ("52.103.199.12", (2024, 1, 1), "relay"),
        ("104.47.127.255", None, "normal"),
        ("104.47.128.0", None, None),
        ("2a01:111:f403:e40b::1", None, "relay"),
        ("2a01:111:f400:7e00::1", None, None),
    ],
)
def test_pool_of_an_address(address, when, pool):
    """Boundaries in address and time; a prefix that mixes pools says nothing."""
    assert pool_at(address, None if when is None else days(*when)) == pool


class TestParseNetwork:
    @pytest.mark.parametrize(
        "text", ["40.95.1.0/16", "0.0.0.0/0", "::/0", "10.0.0.1", "10.0.0.0/33", "contoso.com", ""]
    )
    def test_refusals(self, text):
        """Host bits, length 0, no length, and anything that is no prefix."""
        with pytest.raises(ValueError):
            parse_network(text)

    def test_mapped_becomes_ipv4(self):
        """Addresses are matched as IPv4 when mapped, so prefixes are too."""
        assert str(parse_network("::ffff:10.1.0.0/112")) == "10.1.0.0/16"


class TestLoadNetworks:
    def test_packs_for_the_kernel(self):
        entry = PoolPrefix(parse_network("40.95.0.0/16"), ObservedPool.RELAY, 5, None)

        assert packed_prefix(entry) == (bytes((40, 95, 0, 0)), 16, 5, None, 2)

    def test_tenant_additions_come_last(self):
        """Of two entries with one prefix the later stands, so the tenant's do."""
        own = PoolPrefix(parse_network("40.95.0.0/16"), ObservedPool.NORMAL)
        networks = load_networks({"MyRegionPool": ObservedPool.NORMAL}, [own])

        assert networks.prefixes[-1] is own
        assert networks.pool_names["myregionpool"] == 0
        assert networks.pool_names["regularrelayoutboundpool"] == OBSERVED_POOLS.index("relay")

    def test_tables_for_names(self):
        networks = load_networks()

        assert networks.host_suffixes == (".outbound.protection.outlook.com",)
        assert {code: OBSERVED_POOLS[pool] for code, pool in networks.host_codes.items() if pool != 255} == {
            "on": "normal",
            "lp": "normal",
            "eopbgr": "normal",
            "hn": "high_risk",
            "rln": "relay",
            "rlnn": "relay",
            "rlhn": "relay_high_risk",
            "olkn": "consumer",
            "oln": "consumer",
        }
        assert networks.host_codes["bgr"] == 255
        assert networks.sfp == {1101: 0, 1102: 0, 1501: 1, 1022: 2, 1023: 3, 1901: 4}
        assert networks.pool_name_patterns[0] == ("contains", ("relay", "highrisk"), 3)
        assert networks.pool_name_patterns[-1] == ("prefix", ("regular",), 0)
