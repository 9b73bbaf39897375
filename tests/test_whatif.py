"""What if: counted from stored evidence, what would move is what classifying anew under the overlay moves."""

import itertools
import random
from collections import Counter

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import poolsift
from poolsift.analysis.whatif import RESULT_SCHEMA, TOGETHER, what_if
from poolsift.demo import write_archive
from poolsift.engines.local import classify_files
from poolsift.errors import InputError, OverlayError, UsageError
from poolsift.overlay import Overlay
from poolsift.records import CANONICAL_COLUMNS, record_schema
from tests.overlays import OF_CONTOSO, WITHOUT_TENANT, some_columns, table_of
from tests.reference.worlds import TENANT_FILES, snapshot_rows
from tests.test_engine import ndjson

GATEWAY = 'enhanced-filtering "mail filter in front"'
KINDS = (
    "accept-domain app.contoso.com tenant=contoso",
    "accept-domain supplier05.example subdomains tenant=contoso",
    "publish-dns retired-brand.example",
    "sign-dkim supplier50.example",
    "authorize 198.51.100.0/24 = supplier44.example",
    GATEWAY,
    "rules 2026-06",
)
COMBINED = "\n".join((*KINDS[:1], *KINDS[2:7]))
RELAY = {"mail_from": "s@x.example", "direction": "outbound", "recipient": "b@y.example", "spf": "fail", "dkim": "none"}


def rows_of(out):
    parts = [pq.read_table(path) for path in sorted(out.glob("part-*.parquet"))]
    return pa.concat_tables(parts, promote_options="default")


def counted(before, after, recipients):
    """(from pool, to pool, possibly normal) → messages and recipients, of the rows whose pool differs."""
    messages, weighed = Counter(), Counter()
    pools = zip(before["pool"].to_pylist(), after["pool"].to_pylist(), after["candidates"].to_pylist(), strict=True)
    for (old, new, candidates), recipient_count in zip(pools, recipients, strict=True):
        if old != new:
            move = (old, new, new == "undetermined" and bool(candidates & 1))
            messages[move] += 1
            weighed[move] += recipient_count or 1
    return {move: (messages[move], weighed[move]) for move in messages}


def moves_of(moves):
    """The same of an answer; what it says by sender domain adds up to it."""
    by_domain = Counter()
    for row in moves.domains.to_pylist():
        by_domain[row["from_pool"], row["to_pool"], row["possibly_normal"] == "yes"] += row["messages"]
    assert by_domain == Counter({move: count.messages for move, count in moves.moves.items()})
    return {tuple(move): tuple(count) for move, count in moves.moves.items()}


class Archive:
    """The demo archive with its verdicts, in the key columns and in all."""

    def __init__(self, folder):
        self.archive = write_archive(folder / "archive", messages=5_000, seed=3)
        self.tenant = poolsift.Tenant.load(str(self.archive.tenant))
        self.snapshot = poolsift.Snapshot.open(str(self.archive.snapshot))
        self.out, self.all = folder / "out", folder / "all"
        for out, columns in ((self.out, "key"), (self.all, "all")):
            classify_files(self.archive.inputs, out, tenant=self.tenant, dns=self.snapshot, columns=columns)
        self.before = rows_of(self.out)
        self.records = rows_of(self.all).select(CANONICAL_COLUMNS)

    def expected(self, overlay=None, tenant=None, snapshot=None):
        classifier = poolsift.Classifier(tenant or self.tenant, dns=snapshot or self.snapshot, overlay=overlay)
        after = pa.table(classifier.classify(self.records))
        return counted(self.before, after, self.records["recipient_count"].to_pylist())


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return Archive(tmp_path_factory.mktemp("demo"))


class TestDemoArchive:
    @pytest.mark.parametrize("line", KINDS)
    def test_every_kind_of_change_as_if_classified_with_it(self, demo, line):
        """Counts from stored evidence are those of classifying the records under the overlay."""
        overlay = Overlay.parse(line)
        found = what_if(demo.out, overlay)
        expected = demo.expected(overlay)

        assert expected
        assert moves_of(found.together) == expected
        assert [moves_of(moves) for moves in found.alone] == [expected]

    def test_combinations(self, demo):
        """Two changes and more, each alone and all together."""
        lines = COMBINED.split("\n")
        for chosen in (*itertools.pairwise(lines), (lines[0], lines[4]), lines):
            overlay = Overlay.parse("\n".join(chosen))
            found = what_if(demo.out, overlay, threads=1)

            assert moves_of(found.together) == demo.expected(overlay), chosen
            assert [moves.changes for moves in found.alone] == [(change.text(),) for change in overlay]

    def test_the_whole_command_run_again(self, demo, tmp_path):
        """Reading the archive again with --overlay gives what was counted without reading it."""
        overlay = Overlay.parse(COMBINED)
        classify_files(demo.archive.inputs, tmp_path / "o", tenant=demo.tenant, dns=demo.snapshot, overlay=overlay)
        recipients = demo.records["recipient_count"].to_pylist()

        assert moves_of(what_if(demo.out, overlay).together) == counted(
            demo.before, rows_of(tmp_path / "o"), recipients
        )

    def test_an_accepted_domain_is_a_changed_tenant_file(self, demo):
        """No record of the demo logs `accepted`: a file that lists the domain says the same."""
        text = demo.archive.tenant.read_text(encoding="utf-8").replace(
            '"fabrikam.com"', '"fabrikam.com", "app.contoso.com"'
        )

        assert moves_of(what_if(demo.out, Overlay.parse(KINDS[0])).together) == demo.expected(
            tenant=poolsift.Tenant.parse(text)
        )

    def test_published_dns_is_a_changed_snapshot(self, demo):
        """A snapshot that knows the domain says the same."""
        rows = [
            {**row, "status": "present"} if row["name"] == "retired-brand.example" else row
            for row in demo.snapshot.rows.to_pylist()
        ]

        assert moves_of(what_if(demo.out, Overlay.parse(KINDS[2])).together) == demo.expected(
            snapshot=poolsift.Snapshot.from_rows(rows)
        )

    def test_threads_and_memory_change_nothing(self, demo):
        """The same answer, byte for byte."""
        overlay = Overlay.parse(COMBINED)
        one, other = (
            what_if(demo.out, overlay, best=4, threads=threads, memory=memory)
            for threads, memory in ((1, 1 << 30), (3, 64 << 20))
        )

        assert orjson.dumps(one.as_dict()) == orjson.dumps(other.as_dict())
        assert one.table().equals(other.table())


@pytest.fixture(scope="module")
def by_date(tmp_path_factory):
    """A small archive, and what is expected of its output in Parquet under rules by date: (archive, answer)."""
    folder = tmp_path_factory.mktemp("formats")
    archive = write_archive(folder / "archive", messages=400, seed=4)
    return archive, answer_of(archive, folder / "out")


def answer_of(archive, out):
    """Every kind of change and the best ones, over a run that is written to `out`."""
    known = {"tenant": poolsift.Tenant.load(str(archive.tenant)), "dns": poolsift.Snapshot.open(str(archive.snapshot))}
    classify_files(archive.inputs, out, rules="by-date", **known)
    return {**what_if(out, Overlay.parse(COMBINED), best=3).as_dict(), "out": ""}


@pytest.mark.parametrize("to", ["arrow", "ndjson", "csv"])
def test_every_format_of_output(by_date, tmp_path, to):
    """One file in another format holds the same rows."""
    archive, expected = by_date

    assert expected["together"]["moved"]["messages"] > 20
    assert len(expected["best"]) == 3
    assert answer_of(archive, tmp_path / f"out.{to}") == expected


@pytest.fixture(scope="module")
def adversarial(tmp_path_factory):
    """Records made to trip a careless reading, classified with all columns: (output, tenant, snapshot, records, verdicts)."""
    folder = tmp_path_factory.mktemp("adversarial")
    dice = random.Random(5)
    records = table_of(some_columns(77, 3_000))
    place = records.schema.get_field_index("recipient_count")
    counts = pa.array([dice.choice((None, 1, 2, 40)) for _ in range(len(records))], pa.int32())
    records = (
        records.set_column(place, "recipient_count", counts)
        if place >= 0
        else records.append_column("recipient_count", counts)
    )
    pq.write_table(records, folder / "in.parquet")
    (folder / "tenant.toml").write_text(TENANT_FILES["several"], encoding="utf-8")
    tenant = poolsift.Tenant.load(str(folder / "tenant.toml"))
    snapshot = poolsift.Snapshot.from_rows(snapshot_rows())
    snapshot.write(str(folder / "dns.arrow"))
    snapshot = poolsift.Snapshot.open(str(folder / "dns.arrow"))
    classify_files(folder / "in.parquet", folder / "out", tenant=tenant, dns=snapshot, columns="all")
    rows = rows_of(folder / "out")
    return folder / "out", tenant, snapshot, rows.select(CANONICAL_COLUMNS), rows


@pytest.mark.parametrize("changes", [*WITHOUT_TENANT[:-1], *OF_CONTOSO], ids=lambda changes: changes.text()[:40])
def test_records_that_trip_a_careless_reading(adversarial, changes):
    """No row that a change moves is passed over, however its addresses are written: alone, and with every other."""
    out, tenant, snapshot, records, before = adversarial
    overlay = Overlay.parse(changes.text())
    found = what_if(out, overlay, alone=len(overlay) < 10)  # the more there are, the less one of them says

    assert len(before) > 2_500
    for moves, lines in [(found.together, tuple(overlay)), *((one, ()) for one in found.alone)]:
        part = Overlay(lines) if lines else Overlay.parse(moves.changes[0])
        after = pa.table(poolsift.Classifier(tenant, dns=snapshot, overlay=part).classify(records))
        assert moves_of(moves) == counted(before, after, records["recipient_count"].to_pylist()), moves.changes


LOCALS = ("a", "b", "c")
DOMAINS = ("app.contoso.com", "old.contoso.com", "brand.example", "supplier.example", "mfp.local", "news.example")
TENANT = """
[[tenant]]
name = "contoso"
accepted_domains = ["contoso.com"]
[[tenant.gateway]]
name = "front"
prefixes = ["203.0.113.0/26"]
enhanced_filtering = false
[[tenant.gateway]]
name = "edge"
prefixes = ["203.0.113.64/26"]
enhanced_filtering = true
"""
SPELLINGS = ("203.0.113.1", "203.0.113.65", "198.51.100.9", "2001:db8::5", "2001:DB8:0::5", "::ffff:198.51.100.9", None)


def few_records(dice):
    """Six hundred records of few domains and addresses."""

    def mailbox():
        return f"{dice.choice(LOCALS)}@{dice.choices(DOMAINS, (9, 5, 4, 3, 2, 1))[0]}"

    return [
        {
            "mail_from": dice.choice((mailbox(), mailbox(), mailbox(), "<>", None)),
            "header_from": dice.choice((mailbox(), mailbox(), None)),
            "recipient": dice.choice(("x@partner.example", "x@partner.example", mailbox())),
            "recipient_count": dice.choice((None, 3)),
            "direction": "outbound",
            "kind": "message",
            "client_ip": dice.choice(SPELLINGS),
            "source_ip": dice.choice(("198.51.100.77", None)),
            "spf": dice.choice(("fail", "none", "pass", None)),
            "dkim": dice.choice(("none", "none", "pass", None)),
        }
        for _ in range(600)
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The output of such records."""
    folder = tmp_path_factory.mktemp("best")
    rows = few_records(random.Random(8))
    schema = pa.schema([field for field in record_schema() if field.name in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "in.parquet")
    (folder / "tenant.toml").write_text(TENANT, encoding="utf-8")
    answers = {name: {"A": "present", "MX": "present"} for name in DOMAINS}
    answers["brand.example"] = answers["old.contoso.com"] = {"A": "absent", "MX": "absent"}
    tenant, dns = poolsift.Tenant.load(str(folder / "tenant.toml")), poolsift.Snapshot.from_dict(answers)
    classify_files(folder / "in.parquet", folder / "out", tenant=tenant, dns=dns)
    return folder / "out"


def every_candidate():
    """Every change of one kind and one domain or address, as lines of one overlay."""
    public = [domain for domain in DOMAINS if domain != "mfp.local"]
    addresses = ("203.0.113.1", "203.0.113.65", "198.51.100.9", "2001:db8::5", "198.51.100.77")
    lines = [f"{word} {domain}" for word in ("accept-domain", "publish-dns", "sign-dkim") for domain in public]
    lines += [f"authorize {address} = {domain}" for address in addresses for domain in public]
    return Overlay.parse("\n".join([*lines, 'enhanced-filtering "front"', "rules 2026-06"]))


class TestBest:
    def test_it_is_what_trying_every_change_finds(self, world):
        """The best of all changes tried one by one, in order, with the same counts."""
        tried = what_if(world, every_candidate(), together=False)
        every = sorted(
            (
                (-moves.to_normal.messages, moves.changes[0], moves.to_normal.recipients)
                for moves in tried.alone
                if moves.to_normal.messages
            )
        )

        assert len(every) > 20
        for wanted in (1, 3, len(every), len(every) + 5):
            best = what_if(world, best=wanted).best
            assert [(-one.messages, one.line, one.recipients) for one in best] == every[:wanted]
            assert [one.rank for one in best] == list(range(1, len(best) + 1))

    def test_a_change_is_counted_as_if_it_had_been_asked_for(self, world):
        """Messages and recipients by the pool they come from."""
        for one in what_if(world, best=12).best:
            moves = what_if(world, Overlay.parse(one.line)).together
            pools = {move.from_pool: tuple(count) for move, count in moves.moves.items() if move.to_pool == "normal"}

            assert {pool: tuple(count) for pool, count in one.pools.items()} == pools, one.line

    @pytest.mark.parametrize("entries", [1, 4, 30])
    def test_more_candidates_than_fit(self, world, monkeypatch, entries):
        """With room for a few keys of a kind the winners are the same, or it is said how much another may move."""
        monkeypatch.setattr("poolsift.analysis.stored_run._LEAST_ENTRIES", entries)
        monkeypatch.setattr("poolsift.analysis.bounded_counts._MERGE_AT", 0)
        tight = what_if(world, best=3, memory=0)
        unproven = [text for text in tight.remarks if "not every candidate was counted" in text]

        assert tight.best == what_if(world, best=3).best or unproven
        assert bool(unproven) == (entries == 1)

    def test_nothing_helps(self, tmp_path):
        """An output without a message that a change could help has no best change."""
        classify_files(ndjson(tmp_path / "in.ndjson", [{**RELAY, "spf": "pass"}]), tmp_path / "out")

        assert what_if(tmp_path / "out", best=3).best == ()


@pytest.fixture
def small(tmp_path):
    """Three relayed messages behind a gateway, two of them with a source address; returns (output, tenant file)."""
    tenant = tmp_path / "tenant.toml"
    tenant.write_text(TENANT, encoding="utf-8")
    row = {**RELAY, "client_ip": "203.0.113.1"}
    rows = [{**row, "source_ip": "198.51.100.1"}, {**row, "source_ip": "198.51.100.2", "recipient_count": 5}, row]
    rows.append({**RELAY, "recipient_count": 7})
    rows.append(
        {**RELAY, "mail_from": "<>", "kind": "message", "client_ip": "198.51.100.1", "header_from": "s@x.example"}
    )
    source = ndjson(tmp_path / "in.ndjson", rows)
    classify_files(source, tmp_path / "out", tenant=poolsift.Tenant.load(str(tenant)))
    return tmp_path / "out", tenant


class TestWhatIsMissing:
    def test_behind_a_gateway_without_source_address_or_result(self, small):
        """Rows whose SPF becomes unknown are counted by what is missing, and may be normal."""
        moves = what_if(small[0], Overlay.parse("enhanced-filtering front")).together

        assert moves_of(moves) == {("relay", "undetermined", True): (3, 7)}
        assert moves.lacking == {"source_ip": 1, "spf": 2}

    def test_authorized_without_client_address(self, small):
        """A row without address matches no prefix; one with a null reverse-path is no matter of the domain."""
        moves = what_if(small[0], Overlay.parse("authorize 198.51.100.0/24 = x.example")).together

        assert moves.lacking == {"client_ip": 1}
        assert moves.moves == {}

    def test_the_tenant_file_has_changed(self, small):
        """It is said, and counted is against what the run said."""
        small[1].write_text(TENANT.replace("contoso.com", "fabrikam.com"), encoding="utf-8")
        found = what_if(small[0], Overlay.parse("sign-dkim x.example"))

        assert any("has changed since the run" in text for text in found.remarks)
        assert found.together.moved == (5, 15)

    def test_the_tenant_file_is_gone(self, small):
        """Another can be named; what needs one says so."""
        path = str(small[1])
        tenant = poolsift.Tenant.load(path)
        small[1].unlink()

        assert any("is gone" in text for text in what_if(small[0], Overlay.parse("sign-dkim x.example")).remarks)
        with pytest.raises(OverlayError, match="needs a tenant file"):
            what_if(small[0], Overlay.parse("enhanced-filtering front"))
        assert what_if(small[0], Overlay.parse("enhanced-filtering front"), tenant=tenant).together.moved == (3, 7)

    def test_a_gateway_that_filters_already(self, small):
        """Turning it on moves nothing, and that is said."""
        found = what_if(small[0], Overlay.parse("enhanced-filtering edge"))

        assert found.together.moves == {}
        assert any("already" in text for text in found.remarks)

    def test_a_profile_of_ones_own_that_was_edited(self, tmp_path):
        """Stored pools stay the base, and rows that the rules no longer explain are counted."""
        rules = tmp_path / "mine.toml"
        text = '[[rule]]\nname = "all"\nwhen = {}\npool = "POOL"\n'
        rules.write_text(text.replace("POOL", "relay"))
        classify_files(ndjson(tmp_path / "in.ndjson", [RELAY] * 3), tmp_path / "out", rules=str(rules))
        overlay = Overlay.parse("sign-dkim x.example")

        assert what_if(tmp_path / "out", overlay).remarks == ()
        rules.write_text(text.replace("POOL", "high_risk"))
        assert what_if(tmp_path / "out", overlay).remarks[0].startswith("3 records were put into another pool")
        rules.unlink()
        with pytest.raises(UsageError, match=r"the rule profile of the run is gone; found .*mine\.toml"):
            what_if(tmp_path / "out", overlay)

    def test_a_run_that_had_an_overlay(self, small, tmp_path):
        """Counted is what comes on top of it."""
        classify_files(
            str(tmp_path / "in.ndjson"), tmp_path / "more", overlay=Overlay.parse("authorize 203.0.113.1 = x.example")
        )
        found = what_if(tmp_path / "more", Overlay.parse("sign-dkim x.example"))

        assert "authorize 203.0.113.1 = x.example" in found.remarks[0]
        assert found.together.moved == (2, 8)


class TestRefusals:
    def test_nothing_to_do(self, small):
        with pytest.raises(UsageError, match="no change to look at"):
            what_if(small[0])
        with pytest.raises(UsageError, match="no change to look at"):
            what_if(small[0], Overlay())

    def test_an_output_of_verdict_columns(self, small, tmp_path):
        """What is missing is named."""
        classify_files(str(tmp_path / "in.ndjson"), tmp_path / "v", columns="verdict")
        with pytest.raises(UsageError, match=r"holds no addresses.*found --columns verdict; expected .* key or all"):
            what_if(tmp_path / "v", Overlay.parse("sign-dkim x.example"))

    def test_a_damaged_output(self, small):
        """The part is named."""
        (part,) = small[0].glob("part-*.parquet")
        group = pq.read_metadata(part).row_group(0)
        columns = (group.column(number) for number in range(group.num_columns))
        place = next(column.data_page_offset for column in columns if column.path_in_schema == "evidence")
        data = bytearray(part.read_bytes())
        data[place + 20 : place + 40] = bytes(20)
        part.write_bytes(data)
        with pytest.raises(InputError, match=r"part-00000\.parquet"):
            what_if(small[0], Overlay.parse("sign-dkim x.example"))

    def test_a_part_that_is_gone(self, small):
        (part,) = small[0].glob("part-*.parquet")
        part.unlink()
        with pytest.raises(InputError, match="cannot be read"):
            what_if(small[0], Overlay.parse("sign-dkim x.example"))


def test_the_result_as_a_table(small):
    """Each change alone, then all together, by sender domain."""
    found = what_if(small[0], Overlay.parse("sign-dkim x.example\nenhanced-filtering front"))
    table = found.table()
    messages = Counter()
    for row in table.to_pylist():
        messages[row["change"]] += row["messages"]

    assert table.schema.equals(RESULT_SCHEMA)
    assert messages == {"sign-dkim x.example": 5, 'enhanced-filtering "front"': 3, TOGETHER: 5}


def test_an_empty_output(tmp_path):
    """No record moves."""
    source = ndjson(tmp_path / "in.ndjson", [])
    (tmp_path / "in.ndjson").write_bytes(orjson.dumps(RELAY) + b"\n")
    classify_files(source, tmp_path / "out", allow_rejects=True)
    found = what_if(tmp_path / "out", Overlay.parse("publish-dns z.example"), best=2)

    assert (found.records, found.together.moves) == (1, {})
