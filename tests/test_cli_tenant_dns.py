"""poolsift tenant check with DNS: which accepted domains get their mail past Exchange Online and the gateways."""

import subprocess
import sys

import pytest

from poolsift.dns.answers import Answer, AnswerStatus, Reason
from poolsift.dns.servers import Server
from poolsift.dns.snapshot import Snapshot
from poolsift.engines.asking import LocalAsker
from poolsift.engines.gateway_suggestions import suggested_gateways
from poolsift.engines.mail_routes import (
    AskedRecords,
    MailHost,
    MailRoute,
    SnapshotRecords,
    mail_routes,
    route_warnings,
)
from poolsift.tables import shipped_table
from poolsift.tenant import Tenant
from tests.dns.tiny_server import TinyServer

EXCHANGE = "contoso-com.mail.protection.outlook.com"
GATEWAY = '[[tenant.gateway]]\nname = "edge"\nprefixes = ["203.0.113.0/24", "2001:db8:1::/48"]\n'


def tenant(*domains, gateway=""):
    names = ", ".join(f'"{domain}"' for domain in domains)
    head = f'[[tenant]]\nname = "contoso"\naccepted_domains = [{names}]\ninitial_domain = "contoso.onmicrosoft.com"\n'
    return Tenant.parse(head + gateway).tenants[0]


def snapshot(answers):
    """Of {name: {type: [rdata] or a reason}}; an empty list is an absence, a type that is not there is not listed."""
    rows = []
    for name, types in answers.items():
        for rdtype, found in types.items():
            status = "unknown" if isinstance(found, str) else "present" if found else "absent"
            rdata, reason = (None, found) if isinstance(found, str) else (found, None)
            rows.append({"name": name, "rdtype": rdtype, "status": status, "rdata": rdata, "reason": reason})
    return SnapshotRecords(Snapshot.from_rows(rows))


def routed(entry, records):
    """(domain → what is shown, warnings)."""
    routes = mail_routes(entry, records)
    return {route.domain: str(route) for route in routes}, route_warnings(entry, routes)


def of_gateway(filtering=None):
    return GATEWAY + ("" if filtering is None else f"enhanced_filtering = {filtering}\n")


BEHIND = {
    "fabrikam.com": {"MX": ["10 mx.fabrikam.com"], "A": []},
    "mx.fabrikam.com": {"A": ["203.0.113.7"], "AAAA": ["2001:db8:1::7"]},
}


@pytest.mark.parametrize(
    "host",
    [EXCHANGE, "contoso-com.k-v1.mx.microsoft", "contoso.mail.protection.office365.us",
     "contoso-com.mail.protection.partner.outlook.cn"],
)  # fmt: skip
def test_exchange_online_needs_no_gateway(host):
    """Every cloud's MX names; their addresses are not even asked for."""
    shown, warnings = routed(tenant("contoso.com"), snapshot({"contoso.com": {"MX": [f"0 {host}"], "A": []}}))

    assert {"contoso.com": f"{host} (Exchange Online)"} == shown
    assert [] == warnings


@pytest.mark.parametrize(
    "host",
    ["contoso-com.olc.protection.outlook.com", "mail.protection.outlook.com", "mail.protection.outlook.com.example",
     "xmail.protection.outlook.com", "mx.microsoft", "mail.global.frontbridge.example"],
)  # fmt: skip
def test_hosts_that_only_look_like_it_are_not_exchange_online(host):
    """Outlook.com takes mail for consumers; a suffix needs a label before it."""
    assert not MailHost(host, (), ()).is_exchange


def test_every_suffix_of_the_table_has_its_dot_and_source():
    """So that a name of another registrant never ends with one."""
    entries = shipped_table("exchange_mx")["suffix"]

    assert [] == [entry for entry in entries if not entry["name"].startswith(".") or not entry["source"]]
    assert 4 == len(entries)


def test_another_mx_without_a_gateway_is_warned_of_with_the_prefixes_to_declare():
    """The addresses of the MX hosts, both families, as they go into the tenant file."""
    shown, (warning,) = routed(tenant("fabrikam.com"), snapshot(BEHIND))

    assert {"fabrikam.com": "mx.fabrikam.com (203.0.113.7, 2001:db8:1::7)"} == shown
    assert warning.startswith("fabrikam.com: its MX is not Exchange Online but mx.fabrikam.com")
    assert "no gateway is declared" in warning
    assert 'prefixes = ["203.0.113.7/32", "2001:db8:1::7/128"]' in warning


@pytest.mark.parametrize(
    ("filtering", "words"),
    [("true", None), ("false", "enhanced_filtering is false"), (None, "enhanced_filtering is not said")],
)
def test_a_gateway_that_holds_the_addresses_counts_with_enhanced_filtering_only(filtering, words):
    """On: nothing to say. Off or not said: one warning that names the gateway."""
    warnings = routed(tenant("fabrikam.com", gateway=of_gateway(filtering)), snapshot(BEHIND))[1]

    assert ([] if words is None else [True]) == [words in warning and "'edge'" in warning for warning in warnings]


def test_addresses_outside_the_gateway_are_named_alone():
    """One host inside, one outside: only the second is a stranger."""
    answers = {
        "fabrikam.com": {"MX": ["10 mx.fabrikam.com", "20 backup.example"], "A": []},
        "mx.fabrikam.com": {"A": ["203.0.113.7"], "AAAA": []},
        "backup.example": {"A": ["198.51.100.4"], "AAAA": []},
    }
    (warning,) = routed(tenant("fabrikam.com", gateway=of_gateway("true")), snapshot(answers))[1]

    assert 'prefixes = ["198.51.100.4/32"]' in warning
    assert "no gateway holds all of these addresses" in warning


def test_a_second_mx_beside_exchange_online_is_a_way_in_too():
    """The preferred host comes first; the other one is warned of."""
    answers = {
        "contoso.com": {"MX": ["20 backup.example", f"0 {EXCHANGE}"], "A": []},
        "backup.example": {"A": ["198.51.100.4"], "AAAA": []},
    }
    shown, (warning,) = routed(tenant("contoso.com"), snapshot(answers))

    assert f"{EXCHANGE} (Exchange Online), backup.example (198.51.100.4)" == shown["contoso.com"]
    assert "not Exchange Online but backup.example (198.51.100.4)" in warning


def test_the_initial_domain_is_not_looked_at():
    """Nor its mail form, even where they are listed."""
    entry = tenant("contoso.onmicrosoft.com", "contoso.mail.onmicrosoft.com", "contoso.com")

    assert ["contoso.com"] == [route.domain for route in mail_routes(entry, snapshot({}))]


@pytest.mark.parametrize(
    ("types", "shown", "words"),
    [
        ({"MX": [], "A": []}, "none, and no A either", "leaves by the high-risk pool"),
        ({"MX": ["0 ."], "A": []}, "none, by a null MX: it takes no mail", "null MX"),
        ({"MX": "timeout", "A": ["192.0.2.1"]}, "could not be found out (timeout)", "could not be found out (timeout)"),
        ({"MX": "unconfirmed", "A": "unconfirmed"}, "could not be found out (unconfirmed)", "could not be found out"),
        ({}, "could not be found out (not_listed)", "could not be found out (not_listed)"),
        (
            {"MX": [], "A": "servfail"},
            "none seen; whether it has an A could not be found out (servfail)",
            "could not be found out (servfail)",
        ),
        (
            {"MX": [], "A": ["198.51.100.9"]},
            "none seen; its own A takes the mail: contoso.com (198.51.100.9)",
            '"198.51.100.9/32"',
        ),
    ],
)
def test_what_there_is_instead_of_an_mx(types, shown, words):
    """Unknown is never no MX; neither MX nor A is the high-risk pool; a lone A takes the mail itself."""
    found, (warning,) = routed(tenant("contoso.com"), snapshot({"contoso.com": types}))

    assert {"contoso.com": shown} == found
    assert words in warning


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in {Reason.NXDOMAIN, Reason.NODATA}])
def test_no_unknown_mx_is_called_missing(reason):
    """Whatever the reason, with A unknown, absent or present."""
    for a in (reason.value, [], ["192.0.2.1"]):
        shown, warnings = routed(tenant("contoso.com"), snapshot({"contoso.com": {"MX": reason.value, "A": a}}))

        assert f"could not be found out ({reason})" == shown["contoso.com"]
        assert ["high-risk" in warning for warning in warnings] == [False]


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (
            {"A": "timeout", "AAAA": "timeout"},
            "mx.fabrikam.com (addresses could not be found out: A timeout, AAAA timeout)",
        ),
        ({"A": ["203.0.113.7"], "AAAA": "timeout"}, "(203.0.113.7, addresses could not be found out: AAAA timeout)"),
        ({"A": [], "AAAA": []}, "mx.fabrikam.com (no address)"),
    ],
)
def test_mail_hosts_whose_addresses_are_unknown_are_not_taken_for_the_gateway(host, words):
    """Nothing, or only a part, can be compared with the gateways: both are said."""
    answers = {"fabrikam.com": BEHIND["fabrikam.com"], "mx.fabrikam.com": host}
    shown, (warning,) = routed(tenant("fabrikam.com", gateway=of_gateway("true")), snapshot(answers))

    assert words in shown["fabrikam.com"]
    assert words in warning


def test_a_host_of_many_addresses_is_shown_by_some_and_declared_in_full():
    """The line stays short, the suggestion is whole."""
    addresses = [f"198.51.100.{last}" for last in range(1, 9)]
    answers = {"fabrikam.com": BEHIND["fabrikam.com"], "mx.fabrikam.com": {"A": addresses, "AAAA": []}}
    shown, (warning,) = routed(tenant("fabrikam.com"), snapshot(answers))

    assert "198.51.100.5, 3 more)" in shown["fabrikam.com"]
    assert all(f'"{address}/32"' in warning for address in addresses)


def suggested(entry, answers):
    """(the text as it is pasted, what the tenant file then holds) of each suggestion."""
    head = '[[tenant]]\naccepted_domains = ["x.example"]\n'
    texts = suggested_gateways(entry, mail_routes(entry, snapshot(answers)))
    return texts, [Tenant.parse(head + text).tenants[0].gateways[0] for text in texts]


def test_hosts_in_no_gateway_are_suggested_as_one_to_paste():
    """Named after whoever runs them, each address a prefix of its own; what DNS cannot tell stays a question."""
    (text,), (gateway,) = suggested(tenant("fabrikam.com"), BEHIND)

    assert "fabrikam.com" == gateway.name
    assert ["203.0.113.7/32", "2001:db8:1::7/128"] == [*map(str, gateway.networks)]
    assert gateway.enhanced_filtering is None
    assert "A provider hands mail on from others too: check with the ranges it publishes" in text
    assert "below [[tenant]] contoso if it is yours: mail for fabrikam.com comes" in text


def test_hosts_of_one_provider_are_one_gateway():
    """Whatever domains they take mail for; another provider's are a gateway of their own, Exchange Online's none."""
    answers = {
        "contoso.com": {"MX": ["10 a.eu.filter.example", f"20 {EXCHANGE}"], "A": []},
        "fabrikam.com": {"MX": ["10 b.us.filter.example", "20 mx.other.example"], "A": []},
        "a.eu.filter.example": {"A": ["198.51.100.4", "198.51.100.5"], "AAAA": []},
        "b.us.filter.example": {"A": ["198.51.100.5", "198.51.100.6"], "AAAA": "timeout"},
        "mx.other.example": {"A": ["203.0.113.80"], "AAAA": []},
    }
    texts, gateways = suggested(tenant("contoso.com", "fabrikam.com"), answers)

    assert [
        ("filter.example", ["198.51.100.4/32", "198.51.100.5/32", "198.51.100.6/32"]),
        ("other.example", ["203.0.113.80/32"]),
    ] == [(gateway.name, [*map(str, gateway.networks)]) for gateway in gateways]
    assert "mail for contoso.com, fabrikam.com comes" in texts[0]
    assert ["Not all addresses could be found out of: b.us.filter.example." in text for text in texts] == [True, False]


def test_addresses_that_a_gateway_holds_are_not_suggested_again():
    """Whatever its enhanced filtering; only strangers are."""
    stray = {**BEHIND, "mx.fabrikam.com": {"A": ["203.0.113.7", "198.51.100.9"], "AAAA": []}}

    assert [] == suggested(tenant("fabrikam.com", gateway=of_gateway("false")), BEHIND)[0]
    assert ["198.51.100.9/32"] == [
        str(network)
        for gateway in suggested(tenant("fabrikam.com", gateway=of_gateway("true")), stray)[1]
        for network in gateway.networks
    ]


@pytest.mark.parametrize(
    "types",
    [
        {"fabrikam.com": {"MX": "timeout", "A": "timeout"}},
        {"fabrikam.com": {"MX": ["0 ."], "A": []}},
        {
            "fabrikam.com": {"MX": ["10 mx.fabrikam.com"], "A": []},
            "mx.fabrikam.com": {"A": "timeout", "AAAA": "timeout"},
        },
        {"fabrikam.com": {"MX": ["10 mx.fabrikam.com"], "A": []}, "mx.fabrikam.com": {"A": ["no address"], "AAAA": []}},
    ],
)
def test_without_an_address_nothing_is_suggested(types):
    """What could not be found out is warned of, not guessed."""
    assert [] == suggested(tenant("fabrikam.com"), types)[0]


@pytest.mark.parametrize("name", ['mx.fab"]\nprefixes = ["::/0', "mx.a\x1b[2J.example", "MX.Fabrikam.COM.", "mx"])
def test_names_out_of_dns_cannot_write_into_the_tenant_file(name):
    """Quotes, line ends and control characters of a host name stay inside its string."""
    absent = Answer(AnswerStatus.ABSENT)
    route = MailRoute("fabrikam.com", absent, absent, (MailHost(name, ("198.51.100.3",), ()),))
    (text,) = suggested_gateways(tenant("fabrikam.com"), [route])
    (gateway,) = Tenant.parse(f'[[tenant]]\naccepted_domains = ["x.example"]\n{text}').tenants[0].gateways

    assert text.isascii() and all(line.isprintable() for line in text.splitlines())
    assert ["198.51.100.3/32"] == [*map(str, gateway.networks)]


ZONES = {
    "contoso.com": {"MX": [f"0 {EXCHANGE}."], "A": ["192.0.2.1"]},
    "fabrikam.com": {"MX": ["10 mx.fabrikam.com."]},
    "mx.fabrikam.com": {"A": ["203.0.113.7"]},
    "null.example": {"MX": ["0 ."]},
    "broken.example": "refused",
}


@pytest.fixture(scope="module")
def server():
    with TinyServer(ZONES) as running:
        yield running


def test_resolvers_are_asked_for_domains_and_their_mail_hosts(server):
    """Real answers: a name that does not exist is confirmed, a refusal is unknown, Exchange Online's hosts are not asked."""
    entry = tenant("contoso.com", "fabrikam.com", "null.example", "broken.example", "gone.example", "corp.local")
    with LocalAsker([Server.parse(server.address)], rate=0) as asker:
        shown, warnings = routed(entry, AskedRecords(asker))

    assert {
        "contoso.com": f"{EXCHANGE} (Exchange Online)",
        "fabrikam.com": "mx.fabrikam.com (203.0.113.7)",
        "null.example": "none, by a null MX: it takes no mail",
        "broken.example": "could not be found out (refused)",
        "gone.example": "none, and no A either",
        "corp.local": "no name of the public DNS (special_use)",
    } == shown
    assert ["fabrikam.com", "null.example", "broken.example", "gone.example", "corp.local"] == [
        warning.partition(":")[0] for warning in warnings
    ]
    assert {EXCHANGE, "corp.local"}.isdisjoint(name for name, _ in server.asked)


class TestCommand:
    @pytest.fixture
    def file(self, tmp_path):
        text = '[[tenant]]\nname = "contoso"\naccepted_domains = ["contoso.com", "fabrikam.com"]\n'
        (tmp_path / "tenant.toml").write_text(text + of_gateway("false"))
        return tmp_path / "tenant.toml"

    def check(self, *arguments):
        command = [sys.executable, "-m", "poolsift", "tenant", "check", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    def test_without_dns_nothing_is_asked_and_nothing_is_added(self, file):
        """As ever: the tenant, its domains, its gateways."""
        ended = self.check(file)

        assert (0, "") == (ended.returncode, ended.stderr)
        assert ["tenant", "accepted", "accepted", "gateway"] == [line.split()[0] for line in ended.stdout.splitlines()]

    def test_dns_adds_a_line_a_domain_and_warnings_that_change_no_exit_code(self, file, server):
        """Lines on stdout, warnings on stderr."""
        ended = self.check(file, "--dns", "--resolver", server.address)

        assert ended.returncode == 0
        assert f"  mx        contoso.com: {EXCHANGE} (Exchange Online)\n" in ended.stdout
        assert "  mx        fabrikam.com: mx.fabrikam.com (203.0.113.7)\n" in ended.stdout
        assert ended.stderr.startswith("warning: fabrikam.com: mail comes by gateway 'edge'")
        assert "[[tenant.gateway]]" not in ended.stdout

    def test_a_gateway_that_is_missing_can_be_pasted(self, tmp_path, server):
        """The output's last lines, appended to the file, make a file that is fine but for enhanced filtering."""
        file = tmp_path / "tenant.toml"
        file.write_text('[[tenant]]\nname = "contoso"\naccepted_domains = ["contoso.com", "fabrikam.com"]\n')
        first = self.check(file, "--dns", "--resolver", server.address)
        file.write_text(file.read_text() + first.stdout[first.stdout.index("\n# To paste") :])
        second = self.check(file, "--dns", "--resolver", server.address)

        assert (0, 0) == (first.returncode, second.returncode)
        assert "no gateway is declared" in first.stderr
        assert "  gateway   fabrikam.com: 203.0.113.7/32; enhanced filtering not said\n" in second.stdout
        assert "mail comes by gateway 'fabrikam.com', and its enhanced_filtering is not said" in second.stderr
        assert "[[tenant.gateway]]" not in second.stdout

    def test_a_snapshot_stands_in_for_resolvers(self, file, tmp_path):
        """What it lacks could not be found out."""
        rows = [{"name": "contoso.com", "rdtype": "MX", "status": "present", "rdata": [f"0 {EXCHANGE}"]}]
        Snapshot.from_rows(rows).write(str(tmp_path / "dns.arrow"))
        ended = self.check(file, "--snapshot", tmp_path / "dns.arrow")

        assert f"contoso.com: {EXCHANGE} (Exchange Online)" in ended.stdout
        assert "fabrikam.com: its MX could not be found out (not_listed)" in ended.stderr

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--dns", "--snapshot", "dns.arrow"], "--snapshot"),
            (["--resolver", "127.0.0.1"], "--resolver"),
            (["--dns", "--resolver", "dns.example"], "--resolver"),
            (["--snapshot", "/nowhere.arrow"], "/nowhere.arrow"),
        ],
    )
    def test_options_that_do_not_go_together_are_refused(self, file, arguments, words):
        """Exit 2, and the option is named."""
        ended = self.check(file, *arguments)

        assert (2, "") == (ended.returncode, ended.stdout)
        assert words in ended.stderr
