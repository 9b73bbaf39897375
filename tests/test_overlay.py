"""Overlay files: what is written is what is read, and what cannot be meant is refused with its place."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import poolsift
from poolsift.errors import OverlayError
from poolsift.overlay import Change, ChangeKind, Overlay, change_for
from poolsift.tenant import Tenant
from tests import overlays
from tests.strategies import TENANTS

EVERY_KIND = """\
# What we think of doing.

accept-domain App.Contoso.com                 # a domain of our own
\taccept-domain lab.fabrikam.com subdomains tenant="Contoso, Ltd."
publish-dns retired-brand.example
authorize 203.0.113.0/24 = app.contoso.com
authorize 2001:db8::25=app.contoso.com
enhanced-filtering "mail filter # in front"
sign-dkim bücher.example
rules 2026-06
"""
CANONICAL = """\
accept-domain app.contoso.com
accept-domain lab.fabrikam.com subdomains tenant="Contoso, Ltd."
publish-dns retired-brand.example
authorize 203.0.113.0/24 = app.contoso.com
authorize 2001:db8::25 = app.contoso.com
enhanced-filtering "mail filter # in front"
sign-dkim xn--bcher-kva.example
rules 2026-06
"""


def refused(text, tenant=None):
    """The error that a text meets in a file of this name."""
    with pytest.raises(OverlayError) as caught:
        Overlay.parse(text, "what-if.txt").check(tenant)
    return caught.value


class TestText:
    def test_every_kind_of_change(self):
        """Comments and spaces go, domains become canonical, the order stays."""
        overlay = Overlay.parse(EVERY_KIND)

        assert overlay.text() == CANONICAL
        assert [change.line for change in overlay] == [3, 4, 5, 6, 7, 8, 9, 10]
        assert [change.kind for change in overlay][1:3] == [ChangeKind.ACCEPT_DOMAIN, ChangeKind.PUBLISH_DNS]
        assert (len(overlay), overlay.rules) == (8, "2026-06")

    @given(overlays.changes())
    def test_text_is_read_back(self, changes):
        overlay = Overlay.parse(changes.text())

        assert Overlay.parse(overlay.text()).changes == overlay.changes

    @given(st.text(min_size=1))
    def test_gateways_of_any_name(self, name):
        """Whatever a tenant file calls a gateway, a change can name it."""
        change = Change(ChangeKind.ENHANCED_FILTERING, name)

        assert Overlay.parse(change.text()).changes == (change,)

    @given(st.text(alphabet='acdeinp=#"\\ \t\n-.:/0159é', max_size=60))
    def test_any_text_is_read_or_refused(self, text):
        """Nothing but OverlayError, and what is read is read back."""
        try:
            overlay = Overlay.parse(text)
        except OverlayError:
            return

        assert Overlay.parse(overlay.text()).changes == overlay.changes

    def test_digest_counts_changes_alone(self):
        """Comments and spaces do not change it; another change does."""
        spaced, other = Overlay.parse("  sign-dkim  a.example # x"), Overlay.parse("sign-dkim b.example")

        assert spaced.digest == Overlay.parse("sign-dkim a.example\r\n").digest != other.digest

    def test_nothing_in_it(self):
        """An empty file is an overlay without changes."""
        assert (Overlay.parse("# nothing\n\n").changes, Overlay().text()) == ((), "")

    def test_pickles(self):
        overlay = Overlay.parse(EVERY_KIND)

        assert pickle.loads(pickle.dumps(overlay)) == overlay

    def test_load_names_the_file(self, tmp_path):
        """Byte order mark and Windows line ends are no obstacle."""
        path = tmp_path / "o.txt"
        path.write_bytes(b"\xef\xbb\xbfrules 2026-06\r\n")

        assert Overlay.load(str(path)) == Overlay((Change(ChangeKind.RULES, "2026-06"),), str(path))
        assert poolsift.Overlay is Overlay


class TestRefusals:
    @pytest.mark.parametrize(
        ("line", "key", "message", "found", "near"),
        [
            ("acept-domain a.example", None, "unknown change", "'acept-domain'", "accept-domain"),
            ("= a.example", None, "not expected here", "'='", None),
            ("accept-domain", "accept-domain", "something is missing", None, None),
            ("accept-domain contoso", "accept-domain", "not a domain name", "'contoso'", None),
            ("accept-domain a@contoso.com", "accept-domain", "not a domain name", "'a@contoso.com'", None),
            ("sign-dkim [192.0.2.1]", "sign-dkim", "not a domain name", "'[192.0.2.1]'", None),
            ("accept-domain *.contoso.com", "accept-domain", "wildcards are not written so", "'*.contoso.com'", None),
            ("accept-domain a.example subdomain", "accept-domain", "unknown option", "'subdomain'", "subdomains"),
            ("accept-domain a.example subdomains subdomains", "accept-domain", "given twice", "'subdomains'", None),
            ("accept-domain a.example tenant contoso", "accept-domain", "something is missing", "'contoso'", None),
            ("accept-domain a.example tenant=", "accept-domain", "something is missing", None, None),
            ("publish-dns mfp.local", "publish-dns", "cannot be in the public DNS", "'mfp.local'", None),
            ("publish-dns a.example b.example", "publish-dns", "more than belongs there", "'b.example'", None),
            ("authorize 203.0.113.5/24 = a.example", "authorize", "has host bits set", "'203.0.113.5/24'", None),
            ("authorize 0.0.0.0/0 = a.example", "authorize", "holds every address", "'0.0.0.0/0'", None),
            ("authorize fe80::1%eth0 = a.example", "authorize", "a scope is no part", "'fe80::1%eth0'", None),
            ("authorize a.example = 192.0.2.1", "authorize", "not a usable prefix", "'a.example'", None),
            ("authorize 192.0.2.1 a.example", "authorize", "something is missing", "'a.example'", None),
            ("authorize 192.0.2.1", "authorize", "something is missing", None, None),
            ("enhanced-filtering mail filter", "enhanced-filtering", "more than one word", "'filter'", None),
            ('enhanced-filtering "edge', None, "not readable", "'\"edge'", None),
            ('enhanced-filtering "a\\q"', None, "not readable", "'\"a\\\\q\"'", None),
            ("rules 2026-6", "rules", "no such rule profile", "'2026-6'", "2026-06"),
        ],
    )
    def test_what_cannot_be_meant(self, line, key, message, found, near):
        """File, line, change, what was found, what was expected and the nearest word."""
        error = refused(f"# first\n{line}\n")

        assert (error.path, error.line, error.key, error.found, error.nearest) == ("what-if.txt", 2, key, found, near)
        assert message in error.message
        assert error.expected
        assert error.exit_code == 2

    def test_expected_prefix_has_no_host_bits(self):
        assert refused("authorize 203.0.113.5/24 = a.example").expected == "203.0.113.0/24"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("sign-dkim a.example", "sign-dkim A.example"),
            ("accept-domain a.example", "accept-domain a.example subdomains"),
            ("authorize 192.0.2.1 = a.example", "authorize 192.0.2.1/32 = a.example"),
        ],
    )
    def test_twice(self, first, second):
        """Two changes that say one thing, or contradict each other: both places are named."""
        error = refused(f"{first}\n\n{second}\n")

        assert (error.line, error.message) == (3, "stands twice, first on line 1")

    def test_two_profiles(self):
        assert refused("rules 2026-06\nrules by-date").message == "a second rule profile, first on line 1"

    @pytest.mark.parametrize(("content", "found"), [(b"rules \xff", "byte 0xff"), (None, None)])
    def test_files_that_cannot_be_read(self, tmp_path, content, found):
        """Not there, or not UTF-8."""
        if content is not None:
            (tmp_path / "o.txt").write_bytes(content)
        with pytest.raises(OverlayError) as caught:
            Overlay.load(str(tmp_path / "o.txt"))

        assert (caught.value.path, caught.value.found) == (str(tmp_path / "o.txt"), found)


class TestAgainstTheTenantFile:
    TENANT = Tenant.parse(TENANTS)

    @pytest.mark.parametrize("line", ["accept-domain a.example", 'enhanced-filtering "edge"'])
    def test_without_a_tenant_file(self, line):
        error = refused(line)

        assert (error.line, error.message, error.expected) == (1, "needs a tenant file", "--tenant FILE")

    def test_one_of_several_tenants_must_be_named(self):
        error = refused("accept-domain a.example", self.TENANT)

        assert (error.message, error.found) == ("which tenant accepts it is unclear", "3 tenants")
        assert "tailspin" in error.expected

    @pytest.mark.parametrize(
        "name", ["contoso", "00000000-0000-0000-0000-00000000000A", "00000000-0000-0000-0000-00000000000a"]
    )
    def test_by_name_or_id(self, name):
        """An id in any case; a name as it is written."""
        overlay = Overlay.parse(f"accept-domain a.example subdomains tenant={name}")

        assert overlay.accepted(self.TENANT, 0) == {"a.example": True}
        assert overlay.accepted(self.TENANT, 1) == {}

    def test_unknown_tenant(self):
        error = refused("accept-domain a.example tenant=contosso", self.TENANT)

        assert (error.message, error.found, error.nearest) == ("no such tenant", "'contosso'", "contoso")

    def test_tenants_of_one_name(self):
        both = Tenant.parse(
            "\n".join(f'[[tenant]]\nid = "{i}"\nname = "c"\naccepted_domains = ["c{i}.example"]' for i in (1, 2))
        )

        assert refused("accept-domain a.example tenant=c", both).message == "several tenants are called so"
        assert Overlay.parse("accept-domain a.example tenant=2").accepted(both, 1) == {"a.example": False}

    def test_unknown_gateway(self):
        error = refused('rules 2026-06\nenhanced-filtering "edges"', self.TENANT)

        assert (error.line, error.message, error.found, error.nearest) == (2, "no such gateway", "'edges'", "edge")
        assert error.expected == "a gateway of the tenant file: edge, inner"

    def test_the_classifier_checks(self):
        with pytest.raises(OverlayError, match="no such gateway"):
            poolsift.Classifier(self.TENANT, overlay=Overlay.parse("enhanced-filtering outer"))


class TestChangeForAFix:
    def test_each_fix_that_is_a_change(self):
        """What the fix column advises, as a line of an overlay."""
        known = {
            "sender_domain": "app.contoso.com", "mail_from_domain": "Bounce.contoso.com", "header_from_domain": "contoso.com",
            "address": "::ffff:203.0.113.9", "gateway": "edge", "tenant": "contoso",
        }  # fmt: skip
        fixes = ("accept_domain", "publish_a_or_mx", "authorize_client_ip", "enable_enhanced_filtering", "sign_dkim")

        assert [change_for(fix, **known).text() for fix in fixes] == [
            "accept-domain app.contoso.com tenant=contoso",
            "publish-dns app.contoso.com",
            "authorize 203.0.113.9 = bounce.contoso.com",
            'enhanced-filtering "edge"',
            "sign-dkim contoso.com",
        ]

    @pytest.mark.parametrize(
        ("fix", "known"),
        [
            ("stop_forwarding", {"sender_domain": "contoso.com"}),
            ("accept_domain", {}),
            ("accept_domain", {"sender_domain": "[192.0.2.1]"}),
            ("publish_a_or_mx", {"sender_domain": "printer"}),
            ("authorize_client_ip", {"mail_from_domain": "contoso.com"}),
            ("authorize_client_ip", {"mail_from_domain": "contoso.com", "address": "fe80::1%eth0"}),
            ("enable_enhanced_filtering", {}),
        ],
    )
    def test_none_where_it_stands_for_none(self, fix, known):
        """Another kind of action, or what the change needs is not known."""
        assert change_for(fix, **known) is None
