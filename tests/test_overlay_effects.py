"""What an overlay does to verdicts: as its description reads, and as a changed tenant file or snapshot would."""

import re

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poolsift import Classifier, Overlay, Snapshot, Tenant, classify_files
from poolsift.demo import write_archive
from poolsift.verdicts import OVERLAID
from tests.overlays import OF_CONTOSO, WITHOUT_TENANT, changes, classifier, some_columns, table_of
from tests.reference import overlay as reference
from tests.reference.overlay import Changes
from tests.reference.worlds import CASES, TENANT_FILES, Case, reference_world, snapshot_rows
from tests.strategies import rows_of

COUNT = 600
FACTS = ("outbound", "domain_resolves", "blocked", "ndr", "spam", "accepted_domain", "spf_pass", "dkim_pass")


def difference(columns, case, changed):
    """The first record for which library and reference differ, with both."""
    world = reference_world(case.tenants, case.dns)
    found = pa.table(classifier(case, changed).classify(table_of(columns))).to_pylist()
    for record, verdict in zip(rows_of(columns), found, strict=True):
        expected = reference.classify(record, world, changed, case.rules, case.assumed(), case.compare)
        if verdict != expected:
            names = [name for name in expected if verdict[name] != expected[name]]
            return record, {name: (verdict[name], expected[name]) for name in names}
    return None


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_kind_as_the_reference_reads_it(case):
    """Every kind of change in every setting."""
    allowed = WITHOUT_TENANT if case.tenants == "none" else (*WITHOUT_TENANT, *OF_CONTOSO)
    for number, changed in enumerate(allowed):
        assert difference(some_columns(CASES.index(case) * 100 + number, COUNT // 4), case, changed) is None, changed


@settings(max_examples=25)
@given(st.integers(0, 100_000), changes("several"))
def test_any_changes_as_the_reference_reads_them(seed, changed):
    assert difference(some_columns(seed, 100), Case(), changed) is None


def test_the_changes_of_these_tests_change_every_fact_they_can():
    """The comparison above is of records that are changed: each fact often, alone and together."""
    columns = some_columns(11, 5_000)
    masks = pa.table(classifier(Case(), OF_CONTOSO[-1]).classify(table_of(columns)))[OVERLAID].to_pylist()
    counts = {name: sum(mask >> i & 1 for mask in masks) for i, name in enumerate(FACTS)}

    assert [name for name, count in counts.items() if count > 20] == [
        "outbound", "domain_resolves", "accepted_domain", "spf_pass", "dkim_pass",
    ]  # fmt: skip


def accepting(text, changed):
    """A tenant file with the domains of `accept-domain` in it."""
    for one in changed.accept:
        entry = f'{{ domain = "{one.domain}", subdomains = {str(one.subdomains).lower()} }}, '
        opening = rf'(name = "{one.tenant}"\n(?:learned = true\n)?accepted_domains = \[)'
        text, count = re.subn(opening, lambda match, entry=entry: match[1] + entry, text)
        assert count == 1
    return text


@settings(max_examples=25)
@given(st.integers(0, 100_000), changes("several").map(lambda one: Changes(accept=one.accept)))
def test_accepting_equals_a_changed_tenant_file(seed, changed):
    """Where records do not themselves say whether the sender's domain is accepted."""
    columns = {name: values for name, values in some_columns(seed, 300).items() if name != "accepted"}
    overlaid = pa.table(classifier(Case(), changed).classify(table_of(columns)))
    text = accepting(TENANT_FILES["several"], changed)
    edited = pa.table(classifier(Case(), tenant_text=text).classify(table_of(columns)))

    assert overlaid.drop_columns(OVERLAID).to_pylist() == edited.to_pylist()


@settings(max_examples=25)
@given(st.integers(0, 100_000), changes("none").map(lambda one: Changes(publish=one.publish)))
def test_publishing_equals_a_changed_snapshot(seed, changed):
    """As if the snapshot had an A record of each name; the mark of a null MX stays, that of AAAA alone goes."""
    table = table_of(some_columns(seed, 300))
    rows = [row for row in snapshot_rows() if row["name"] not in changed.publish or row["rdtype"] != "A"]
    rows += [{"name": name, "rdtype": "A", "status": "present", "rdata": ["192.0.2.1"]} for name in changed.publish]
    edited = Classifier(Tenant.parse(TENANT_FILES["several"]), dns=Snapshot.from_rows(rows))
    overlaid = pa.table(classifier(Case(), changed).classify(table))

    assert overlaid.drop_columns(OVERLAID).to_pylist() == pa.table(edited.classify(table)).to_pylist()


class TestOneRecord:
    TENANT = Tenant.parse(
        '[[tenant]]\naccepted_domains = ["contoso.com"]\n'
        '[[tenant.gateway]]\nname = "front"\nprefixes = ["203.0.113.0/24"]\nenhanced_filtering = false\n'
        '[[tenant.gateway]]\nname = "edge"\nprefixes = ["198.51.100.0/24"]\nenhanced_filtering = true\n'
    )
    RECORD = {
        "mail_from": "ann@app.contoso.com",
        "recipient": "bob@partner.example",
        "client_ip": "203.0.113.9",
        "source_ip": "192.0.2.7",
        "spf": "fail",
        "dkim": "none",
        "status": "delivered",
    }

    def verdict(self, overlay, **record):
        return Classifier(self.TENANT, overlay=Overlay.parse(overlay)).classify_record({**self.RECORD, **record})

    def test_a_newly_filtered_gateway_makes_its_own_spf_result_void(self):
        """The logged fail was about the gateway's address; about the sender's nothing is known."""
        verdict = self.verdict("enhanced-filtering front")

        assert (verdict.facts["spf_pass"], verdict.spf_from, verdict.overlaid) == ("unknown", None, 1 << 6)
        assert (verdict.pool, verdict.fix) == ("undetermined", "get_spf")

    def test_a_gateway_that_filters_already_keeps_its_results(self):
        """To turn on what is on changes nothing."""
        verdict = self.verdict("enhanced-filtering edge", client_ip="198.51.100.9")

        assert (verdict.facts["spf_pass"], verdict.spf_from, verdict.overlaid) == ("no", "log", 0)

    @pytest.mark.parametrize(
        ("overlay", "client_ip", "expected"),
        [
            ("authorize 203.0.113.9 = app.contoso.com", "203.0.113.9", "yes"),
            ("authorize 192.0.2.0/24 = app.contoso.com", "203.0.113.9", "no"),
            ("authorize 192.0.2.0/24 = app.contoso.com", "198.51.100.9", "yes"),
            ("authorize 198.51.100.0/24 = app.contoso.com", "198.51.100.9", "no"),
            ("authorize 192.0.2.0/24 = app.contoso.com\nenhanced-filtering front", "203.0.113.9", "yes"),
            ("authorize 203.0.113.0/24 = app.contoso.com\nenhanced-filtering front", "203.0.113.9", "unknown"),
            ("authorize 203.0.113.9 = contoso.com", "203.0.113.9", "no"),
        ],
    )
    def test_authorizing_looks_at_the_address_that_spf_is_about(self, overlay, client_ip, expected):
        """client_ip, or behind a gateway that filters the address before it; and exactly the domain of MAIL FROM."""
        assert self.verdict(overlay, client_ip=client_ip).facts["spf_pass"] == expected

    def test_the_fix_counts_the_gateway_as_filtered(self):
        """Once filtering is on, the advice is no longer to turn it on."""
        record = {"mail_from": "news@supplier.example"}
        overlay = "enhanced-filtering front\nauthorize 192.0.2.0/25 = other.example"
        after = Classifier(
            self.TENANT, overlay=Overlay.parse(overlay), assume="spf_pass=no,spam=no,domain_resolves=yes"
        )
        before = self.verdict("", **record)

        assert (before.pool, before.fix) == ("relay", "enable_enhanced_filtering")
        assert after.classify_record({**self.RECORD, **record}).fix == "use_accepted_sender"

    def test_the_fix_knows_the_domains_accepted_under_the_overlay(self):
        """A sibling of a domain that becomes accepted is one's own."""
        record = {"mail_from": "ann@news.fabrikam.com", "client_ip": "192.0.2.1"}

        assert self.verdict("", **record).fix == "authorize_client_ip"
        assert self.verdict("accept-domain mail.fabrikam.com", **record).fix == "accept_domain"

    def test_what_the_log_says_of_the_sender_is_overridden(self):
        """Accepted by the overlay, whatever Microsoft 365 stamped then."""
        verdict = self.verdict("accept-domain app.contoso.com", accepted=False)

        assert (verdict.pool, verdict.facts["accepted_domain"], verdict.overlaid) == ("normal", "yes", 1 << 5)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The demo's archive."""
    return write_archive(tmp_path_factory.mktemp("demo"), messages=5_000, seed=3)


class TestDemoArchive:
    ACCEPT_AND_PUBLISH = """
        accept-domain app.contoso.com tenant=contoso
        accept-domain partner000.example tenant=contoso
        publish-dns retired-brand.example
    """
    THE_REST = """
        authorize 203.0.113.0/24 = app.contoso.com
        enhanced-filtering "mail filter in front"
        sign-dkim news.contoso.com
        rules 2026-06
    """

    def verdicts(self, archive, out, text=None, snapshot=None, overlay=None, **options):
        """The output for the whole archive."""
        classify_files(
            archive.inputs,
            out,
            tenant=Tenant.load(str(archive.tenant)) if text is None else Tenant.parse(text),
            dns=Snapshot.open(str(archive.snapshot)) if snapshot is None else snapshot,
            overlay=None if overlay is None else Overlay.parse(overlay),
            **options,
        )
        return pq.read_table(out)

    def test_as_with_an_edited_tenant_file_and_snapshot(self, archive, tmp_path):
        """Accepting a domain and publishing DNS, where no record says itself whether its sender is accepted."""
        text = archive.tenant.read_text(encoding="utf-8")
        edited = text.replace('["contoso.com", ', '["app.contoso.com", "partner000.example", "contoso.com", ')
        rows = [orjson.loads(line) for line in archive.snapshot.read_bytes().splitlines()]
        gone = [row for row in rows if (row["name"], row["rdtype"]) == ("retired-brand.example", "A")]
        gone[0] |= {"status": "present", "reason": None, "confirmed": False, "rdata": ["192.0.2.1"]}
        published = tmp_path / "published.ndjson"
        published.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        snapshot = Snapshot.open(str(published))
        overlay, ignore = self.ACCEPT_AND_PUBLISH, ["accepted"]
        overlaid = self.verdicts(archive, tmp_path / "overlaid.parquet", overlay=overlay, ignore=ignore)
        other = self.verdicts(archive, tmp_path / "edited.parquet", text=edited, snapshot=snapshot, ignore=ignore)

        assert edited != text
        assert set(overlaid[OVERLAID].to_pylist()) >= {0, 1 << 1, 1 << 5}
        assert overlaid.drop_columns(OVERLAID).to_pylist() == other.to_pylist()

    @pytest.mark.parametrize("overlay", [ACCEPT_AND_PUBLISH, THE_REST, ACCEPT_AND_PUBLISH + THE_REST])
    def test_read_again_as_classified_anew(self, archive, tmp_path, overlay):
        """Verdicts of before, read from their file, become those of classifying the archive under the overlay."""
        before = self.verdicts(archive, tmp_path / "before.parquet")
        anew = self.verdicts(archive, tmp_path / "anew.parquet", overlay=overlay)
        dns = Snapshot.open(str(archive.snapshot))
        after = Classifier(Tenant.load(str(archive.tenant)), dns=dns, overlay=Overlay.parse(overlay))
        again = pa.table(after.reclassify(before))

        assert before["pool"].to_pylist() != anew["pool"].to_pylist()
        assert again.to_pylist() == anew.select(again.column_names).to_pylist()
