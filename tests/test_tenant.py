"""Tenant files: what is normalised, what is warned of, what is refused, and with which words."""

import pickle
import time
import tomllib

import pytest

from poolsift.domain_facts import canonical_domain, canonical_domains, organizational_domain
from poolsift.errors import TenantFileError
from poolsift.tenant import TEMPLATE, Tenant, learned_tenants

HEAD = '[[tenant]]\naccepted_domains = ["contoso.com"]\n'


def refusal(text):
    with pytest.raises(TenantFileError) as caught:
        Tenant.parse(text, "t.toml")
    assert caught.value.path == "t.toml"
    assert caught.value.exit_code == 2
    return caught.value


class TestReading:
    def test_contract_example(self):
        """The file of section 7 of the contract."""
        text = """
[[tenant]]
id = "00000000-0000-0000-0000-000000000001"
name = "contoso"
accepted_domains = ["contoso.com", "fabrikam.com", { domain = "lab.contoso.com", subdomains = true }]
initial_domain = "contoso.onmicrosoft.com"
licenses = 1200

[[tenant.gateway]]
name = "on-prem edge"
prefixes = ["203.0.113.0/24", "2001:db8:1::/48"]
connector = "Inbound from on-prem"
enhanced_filtering = false

[tenant.limits]
external_per_hour = 0
internal_per_hour = 0
per_day = 0

[pools]
names = { "MyRegionPool" = "normal" }
prefixes = [{ prefix = "198.51.100.0/24", pool = "relay", since = 2026-01-01 }]
"""
        tenant = Tenant.parse(text)
        (entry,) = tenant.tenants

        assert entry.accepted_with_initial == {
            "contoso.com": False,
            "fabrikam.com": False,
            "lab.contoso.com": True,
            "contoso.onmicrosoft.com": False,
            "contoso.mail.onmicrosoft.com": False,
        }
        assert entry.own == {"contoso.com", "fabrikam.com"}
        assert [str(network) for network in entry.gateways[0].networks] == ["203.0.113.0/24", "2001:db8:1::/48"]
        assert entry.gateways[0].enhanced_filtering is False
        assert tenant.pool_names == {"MyRegionPool": "normal"}
        assert tenant.prefixes[0].since_us == 1_767_225_600_000_000
        assert tenant.warnings == ()
        assert pickle.loads(pickle.dumps(tenant)) == tenant

    def test_names_are_normalised(self):
        """Case, trailing dot and IDN: one canonical form."""
        tenant = Tenant.parse('[[tenant]]\naccepted_domains = ["CONTOSO.com.", "bücher.example", "xn--bcher-kva.test"]')

        assert list(tenant.tenants[0].accepted) == ["contoso.com", "xn--bcher-kva.example", "xn--bcher-kva.test"]

    def test_wider_of_two_entries_stands(self):
        tenant = Tenant.parse('[[tenant]]\naccepted_domains = ["a.com", { domain = "A.com", subdomains = true }]')

        assert tenant.tenants[0].accepted == {"a.com": True}
        assert "listed twice" in tenant.warnings[0]

    def test_initial_domain_elsewhere_has_no_mail_form(self):
        tenant = Tenant.parse('[[tenant]]\ninitial_domain = "contoso.onmicrosoft.us"')

        assert list(tenant.tenants[0].accepted_with_initial) == ["contoso.onmicrosoft.us"]
        assert tenant.tenants[0].own == frozenset()

    def test_template_is_valid(self):
        assert Tenant.parse(TEMPLATE).warnings == ()

    def test_commented_lines_of_the_template_are_valid(self):
        """Somebody who uncomments an example gets a file that works."""
        lines = [
            line.removeprefix("# ") if "=" in line or line.startswith("# [") else line for line in TEMPLATE.splitlines()
        ]
        text = "\n".join(line for line in lines if not line.startswith("{ domain"))

        assert Tenant.parse(text).tenants[0].licenses == 1200

    def test_file_on_disk(self, tmp_path):
        path = tmp_path / "tenant.toml"
        path.write_text(HEAD, encoding="utf-8")

        assert Tenant.load(path).path == str(path)


class TestWhichTenant:
    def test_single_without_id_takes_all(self):
        tenant = Tenant.parse(HEAD)

        assert tenant.entry("anything") is tenant.entry(None) is tenant.tenants[0]

    def test_single_with_id_takes_its_own_and_nameless_records(self):
        tenant = Tenant.parse(HEAD + 'id = "Aa"\n')

        assert tenant.entry("aA") is tenant.tenants[0]
        assert tenant.entry(None) is tenant.entry("") is tenant.tenants[0]
        assert tenant.entry("bb") is None

    def test_several_are_matched_by_id(self):
        tenant = Tenant.parse(HEAD + 'id = "a"\n' + HEAD + 'id = "b"\n')

        assert tenant.entry("b") is tenant.tenants[1]
        assert tenant.entry(None) is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "line", "key", "nearest"),
        [
            ('[[tenant]]\naccepted_domans = ["contoso.com"]', 2, "tenant[0].accepted_domans", "accepted_domains"),
            (HEAD + "[[tenants]]\n", 3, "tenants", "tenant"),
            (HEAD + "[tenant.limits]\nper_dy = 1", 4, "tenant[0].limits.per_dy", "per_day"),
            (
                HEAD + '[[tenant.gateway]]\nprefixes = ["10.0.0.0/8"]\nenhancedfiltering = true',
                5,
                "tenant[0].gateway[0].enhancedfiltering",
                "enhanced_filtering",
            ),
            (
                '[[tenant]]\naccepted_domains = [\n  "a.com",\n  { domain = "b.com", subdomain = true },\n]',
                4,
                "tenant[0].accepted_domains[1].subdomain",
                "subdomains",
            ),
            (HEAD + '[pools]\nnames = { X = "nrmal" }', 4, "pools.names.X", "normal"),
            (
                HEAD + '[pools]\nprefixes = [{ prefix = "10.0.0.0/8", pool = "realy" }]',
                4,
                "pools.prefixes[0].pool",
                "relay",
            ),
        ],
    )
    def test_unknown_words_name_the_nearest(self, text, line, key, nearest):
        error = refusal(text)

        assert (error.line, error.key, error.nearest) == (line, key, nearest)

    @pytest.mark.parametrize(
        ("text", "line", "expected"),
        [
            ('[[tenant]]\naccepted_domains = "contoso.com"', 2, "an array"),
            ('[[tenant]]\naccepted_domains = ["a.com", 3]', 2, "a string or a table"),
            (HEAD + 'licenses = "many"', 3, "an integer"),
            (HEAD + "licenses = 0", 3, "1 or more"),
            (HEAD + "learned = 1", 3, "true or false"),
            (HEAD + "[tenant.limits]\nper_day = 10001", 4, "0 to 10000"),
            (
                HEAD + '[pools]\nprefixes = [{ prefix = "10.0.0.0/8", pool = "relay", since = "2026-01-01" }]',
                4,
                "a date such as 2026-01-01, without quotes",
            ),
            ('[tenant]\nid = "a"', 1, "an array"),
        ],
    )
    def test_wrong_types(self, text, line, expected):
        error = refusal(text)

        assert (error.line, error.expected) == (line, expected)

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("40.95.1.0/16", "40.95.0.0/16"),
            ("0.0.0.0/0", "a longer prefix"),
            ("::/0", "a longer prefix"),
            ("203.0.113.9", "203.0.113.9/32"),
            ("203.0.113.0-9", "a prefix such as 203.0.113.0/24 or 2001:db8:1::/48"),
        ],
    )
    def test_prefixes(self, written, expected):
        """Host bits and a length of 0 are mistakes, not wishes."""
        error = refusal(HEAD + f'[[tenant.gateway]]\nprefixes = [\n  "10.0.0.0/8",\n  "{written}",\n]')

        assert (error.line, error.found, error.expected) == (6, repr(written), expected)

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("*.contoso.com", '{ domain = "contoso.com", subdomains = true }'),
            ("bob@contoso.com", "contoso.com"),
            ("con toso.com", "contoso.com"),
            ("", "contoso.com"),
            ("-a.com", "contoso.com"),
            ("[192.0.2.1]", "contoso.com"),
            ("a。com", "contoso.com"),
        ],
    )
    def test_domains(self, written, expected):
        error = refusal(f'[[tenant]]\naccepted_domains = [\n  "a.com",\n  "{written}",\n]')

        assert (error.line, error.expected) == (4, expected)

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("\ufeff" + HEAD, 1),
            (HEAD + HEAD.splitlines()[1], 3),
            ("a = [", 1),
            (HEAD + HEAD, 1),
            (HEAD + 'id = "A"\n' + HEAD + 'id = "a"', 6),
            ("[[tenant]]\naccepted_domains = []", 2),
            ('[[tenant]]\nname = "x"', 1),
            (HEAD + "[[tenant.gateway]]\nprefixes = []", 4),
            (HEAD + '[[tenant.gateway]]\nname = "x"', 3),
            (
                HEAD
                + '[pools]\nprefixes = [{ prefix = "10.0.0.0/8", pool = "relay", since = 2026-01-01, until = 2026-01-01 }]',
                4,
            ),
            (HEAD + '[pools.names]\nx = "relay"\nX = "relay"', 5),
            ("yes: no", 1),
        ],
    )
    def test_other_mistakes_name_their_line(self, text, line):
        assert refusal(text).line == line

    def test_not_utf8(self, tmp_path):
        path = tmp_path / "t.toml"
        path.write_bytes(b'[[tenant]]\nname = "\xff"\n')
        with pytest.raises(TenantFileError) as caught:
            Tenant.load(str(path))

        assert (caught.value.line, caught.value.found) == (2, "byte 0xff")

    def test_missing_file(self, tmp_path):
        with pytest.raises(TenantFileError):
            Tenant.load(str(tmp_path / "none.toml"))


class TestWarnings:
    def test_public_suffixes(self):
        """Nobody owns co.uk."""
        tenant = Tenant.parse('[[tenant]]\naccepted_domains = ["a.com", "co.uk", "com"]', "t.toml")

        assert tenant.warnings == (
            "t.toml, line 2: accepted domain co.uk is a public suffix",
            "t.toml, line 2: accepted domain com is a public suffix",
        )

    def test_overlaps(self):
        text = HEAD + '[[tenant.gateway]]\nprefixes = ["10.1.0.0/16", "10.0.0.0/8", "2001:db8::/32"]'

        assert [warning.partition(": ")[2] for warning in Tenant.parse(text).warnings] == [
            "prefix 10.1.0.0/16 lies within 10.0.0.0/8; the longer prefix decides"
        ]

    def test_many_are_counted(self):
        names = ", ".join('"a.com"' for _ in range(50))

        assert (
            Tenant.parse(f"[[tenant]]\naccepted_domains = [{names}]")
            .warnings[-1]
            .endswith("29 more warnings of these kinds")
        )


class TestGateway:
    def test_longest_prefix_decides(self):
        text = HEAD + (
            '[[tenant.gateway]]\nname = "wide"\nprefixes = ["10.0.0.0/8"]\n'
            '[[tenant.gateway]]\nname = "narrow"\nprefixes = ["10.1.0.0/16", "2001:db8::/32"]\n'
        )
        entry = Tenant.parse(text).tenants[0]
        names = [
            getattr(entry.gateway_of(ip), "name", None)
            for ip in ("10.1.2.3", "::ffff:10.2.0.1", "2001:db8::1", "x", None)
        ]

        assert names == ["narrow", "wide", "narrow", None, None]


class TestLargeFiles:
    def names(self, count):
        return [f"d{number}.example{number % 1000}.com" for number in range(count)]

    def text(self, names):
        return "[[tenant]]\naccepted_domains = [\n" + "".join(f'  "{name}",\n' for name in names) + ']\nname = "big"\n'

    def test_a_million_domains(self):
        """Loads in seconds, and reads the same as the TOML parser does."""
        names = self.names(1_000_000)
        text = self.text(names)
        start = time.perf_counter()
        tenant = Tenant.parse(text)
        elapsed = time.perf_counter() - start

        assert list(tenant.tenants[0].accepted) == names
        assert elapsed < 10  # about one on an idle core; the parser alone would take four

    @pytest.mark.parametrize("odd", ["bücher.example", "UPPER.example", "d1.example1.com", "co.uk", "a b"])
    def test_long_list_reads_like_a_short_one(self, odd):
        """The way round the TOML parser gives what it gives: names, warnings, errors with their lines."""
        names = [*self.names(60_000), odd]
        long, short = self.text(names), self.text([*names[:2], odd])

        assert tomllib.loads(long)["tenant"][0]["accepted_domains"] == names
        if odd == "a b":
            assert refusal(long).line == 60_003
            return
        found, expected = Tenant.parse(long), Tenant.parse(short)
        assert list(found.tenants[0].accepted)[60_000:] == list(expected.tenants[0].accepted)[2:]
        assert [warning.partition(": ")[2] for warning in found.warnings] == [
            warning.partition(": ")[2] for warning in expected.warnings
        ]
        assert found.tenants[0].name == "big"


class TestLearned:
    def test_text_is_a_tenant_file(self):
        """Pairs of tenant and accepted sender domain become learned sets; no name, no entry."""
        pairs = [
            ("B", "contoso.com"),
            ("a", "x.example"),
            ("b", "CONTOSO.com."),
            ("a", None),
            (None, "y.example"),
            ("a", "b ad"),
        ]
        tenant = Tenant.parse(learned_tenants(pairs))

        assert [(entry.id, list(entry.accepted), entry.learned) for entry in tenant.tenants] == [
            ("a", ["x.example"], True),
            ("b", ["contoso.com"], True),
        ]
        assert learned_tenants(pairs) == learned_tenants(reversed(pairs))

    def test_records_without_tenant(self):
        assert Tenant.parse(learned_tenants([(None, "y.example")])).tenants[0].accepted == {"y.example": False}

    def test_hostile_ids_stay_strings(self):
        text = learned_tenants([('a"\n[[pools]]\\', "y.example")])

        assert Tenant.parse(text).tenants[0].id == 'a"\n[[pools]]\\'


class TestNames:
    @pytest.mark.parametrize(
        ("written", "canonical"),
        [
            ("Contoso.COM", "contoso.com"),
            ("contoso.com.", "contoso.com"),
            ("a_b.example", "a_b.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("Bücher.example", "xn--bcher-kva.example"),
            ("faß.example", "xn--fa-hia.example"),
            ("a..b", None),
            (".a", None),
            ("a.com..", None),
            ("a-.com", None),
            ("xn--a.example", None),
            ("ａ.example", None),
            ("x" * 64 + ".example", None),
            (".".join(["x" * 63] * 4), None),
            ("", None),
        ],
    )
    def test_canonical(self, written, canonical):
        """IDNA 2008 without mapping; anything doubtful is unusable."""
        assert canonical_domain(written) == canonical

    @pytest.mark.parametrize(
        ("name", "organizational"),
        [
            ("a.b.contoso.com", "contoso.com"),
            ("contoso.com", "contoso.com"),
            ("a.contoso.co.uk", "contoso.co.uk"),
            ("co.uk", "co.uk"),
            ("com", "com"),
            ("a.b.unknown-tld", "b.unknown-tld"),
            ("x.y.github.io", "y.github.io"),
        ],
    )
    def test_organizational(self, name, organizational):
        assert organizational_domain(name) == organizational


@pytest.mark.parametrize(
    "odd", ["\u212aontoso.com", "contoso.com\nfabrikam.com", "faß.example", "a b.example", "x" * 64]
)
def test_names_looked_at_all_at_once_are_plain_ones(odd):
    """Nothing is folded before it is known to be ASCII: the Kelvin sign in lower case is a plain k."""
    assert canonical_domains(["Contoso.com", "fabrikam.com"]) == ["contoso.com", "fabrikam.com"]
    assert canonical_domains(["contoso.com", odd]) is None
