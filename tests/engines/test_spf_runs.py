"""SPF from archive to verdicts: survey, resolve, snapshot and live say what a whole evaluation over the same zone says."""

from collections import Counter

import orjson
import pyarrow.parquet as pq
import pytest

from poolsift import LiveDns, ResolveOptions, Snapshot, UsageError, classify_files, resolve_names
from poolsift.analysis.summary_text import summary_lines
from poolsift.engines.survey import survey_files
from tests.dns.counting_server import CountingServer
from tests.dns.scripted_modes import of_type
from tests.dns.scripted_server import serving
from tests.dns.section5 import LAME
from tests.spf.zone import ask, zone
from tests.test_engine import ndjson

#: Names to records by type, as DictResolver takes them.
ZONE = {
    "static.example": {
        "TXT": ["v=spf1 ip4:192.0.2.0/25 include:esp.example mx -all", "another text"],
        "MX": ["10 mx1.static.example", "20 mx2.static.example"],
    },
    "mx1.static.example": {"A": ["203.0.113.10"], "AAAA": ["2001:db8::10"]},
    "mx2.static.example": {"A": ["203.0.113.11"]},
    "esp.example": {"TXT": ["v=spf1 ip4:198.51.100.0/25 a:host.esp.example ~all"]},
    "host.esp.example": {"A": ["203.0.113.9"]},
    "moved.example": {"TXT": ["v=spf1 include:esp.example redirect=static.example"]},
    "each.example": {"TXT": ["v=spf1 exists:%{i}.ok.example ?all"]},
    "192.0.2.1.ok.example": {"A": ["127.0.0.2"]},
    "back.example": {"TXT": ["v=spf1 ptr -all"]},
    "1.2.0.192.in-addr.arpa": {"PTR": ["mail.back.example"]},
    "mail.back.example": {"A": ["192.0.2.1"]},
    "voids.example": {"TXT": ["v=spf1 a:no1.example a:no2.example a:no3.example ip4:192.0.2.1 -all"]},
    "silent.example": {"A": ["192.0.2.1"]},
    "broken.example": {"TXT": ["v=spf1 ip4:192.0.2.1 include:silent.example -all"]},
}
CLIENTS = ("192.0.2.1", "198.51.100.7", "203.0.113.9", "203.0.113.11", "2001:db8::10", "2001:db8::1")
#: Their trees hold ptr and a macro of the client address.
NOT_COMPILED = ["back.example", "each.example"]
SPF_COUNTS = ("tuples", "domains", "compiled", "not_compiled", "not_compiled_names", "unknown")
DOMAINS = [name for name in ZONE if name.count(".") == 1] + ["gone.example"]
FACT = {"pass": "yes", "temperror": "unknown"}


def rows():
    """Every domain from every client, and null reverse-paths that are asked about by HELO."""
    base = {"direction": "outbound", "recipient": "b@partner.example", "status": "delivered", "dkim": "none"}
    paths = [{"mail_from": f"sender@{name}", "helo": "mail.back.example"} for name in DOMAINS]
    paths += [{"mail_from": "<>", "helo": "esp.example"}, {"mail_from": "<>", "helo": None}]
    return [{**base, **path, "client_ip": client} for path in paths for client in CLIENTS]


def on_the_wire(records):
    """The zone as the server takes it."""
    texts = {"TXT": '"{}"', "MX": "{}.", "PTR": "{}.", "A": "{}", "AAAA": "{}"}
    return {
        name: {rdtype: [texts[rdtype].format(one) for one in rdata] for rdtype, rdata in types.items()}
        for name, types in records.items()
    }


def expected(row):
    """The fact and its source by a whole evaluation of one row."""
    null = row["mail_from"] == "<>"
    domain = row["helo"] if null else row["mail_from"].partition("@")[2]
    if domain is None:
        return "unknown", None
    outcome = ask(zone(ZONE), client_ip=row["client_ip"], domain=domain, helo=row["helo"])
    return FACT.get(outcome.result, "no"), "evaluated"


def said(out):
    """The fact and its source of each row, in the order of the input."""
    table = pq.read_table(out).sort_by("row")
    words = ("unknown", "no", "yes")
    facts = [words[evidence >> 12 & 3] for evidence in table["evidence"].to_pylist()]
    return list(zip(facts, table["spf_from"].to_pylist(), strict=True))


@pytest.fixture
def server():
    with CountingServer(on_the_wire(ZONE)) as running:
        yield running


@pytest.fixture
def archive(tmp_path):
    return ndjson(tmp_path / "in.ndjson", rows())


@pytest.fixture
def resolve(server, archive, tmp_path):
    """A run of resolve over the survey of the archive; the rows of its snapshot without times."""
    survey_files(archive, tmp_path / "names.parquet")

    def run(out="dns.arrow", *, inputs=None, **options):
        given = {"cache": str(tmp_path / "cache.sqlite"), "rate": 0, "recheck_after": 0.0, "attempts": 1, **options}
        options = ResolveOptions(resolvers=[server.address], **given)
        run.result = resolve_names(inputs or [tmp_path / "names.parquet"], tmp_path / out, options=options)
        return Snapshot.open(str(tmp_path / out)).rows.drop_columns(["asked_at"]).to_pylist()

    return run


def live(server, **options):
    return LiveDns([server.address], **{"rate": 0, "attempts": 1, "timeout": 10.0, **options})


class TestVerdicts:
    def test_a_snapshot_says_what_whole_evaluations_say_and_opens_no_socket(self, server, resolve, archive, tmp_path):
        resolve()
        before = server.mark()
        classify_files(archive, tmp_path / "out.parquet", dns=Snapshot.open(str(tmp_path / "dns.arrow")))

        assert said(tmp_path / "out.parquet") == [expected(row) for row in rows()]
        assert server.mark() == before

    @pytest.mark.parametrize("threads", [1, 3])
    def test_live_says_the_same_row_for_row(self, server, resolve, archive, tmp_path, threads):
        resolve()
        found = classify_files(archive, tmp_path / "snapshot.parquet", dns=Snapshot.open(str(tmp_path / "dns.arrow")))
        with live(server) as dns:
            lively = classify_files(archive, tmp_path / "live.parquet", dns=dns, threads=threads)

        assert pq.read_table(tmp_path / "live.parquet").equals(pq.read_table(tmp_path / "snapshot.parquet"))
        assert lively.manifest["verdicts"]["spf"] == found.manifest["verdicts"]["spf"]

    def test_a_record_about_local_parts_is_known_live_only(self, server, resolve, tmp_path):
        """A survey does not hold local parts: what the snapshot lacks of them is unknown."""
        server.zones |= on_the_wire({
            "local.example": {"TXT": ["v=spf1 exists:%{l}.ok.example -all"]}, "sender.ok.example": {"A": ["127.0.0.2"]},
        })  # fmt: skip
        found = [{**rows()[0], "mail_from": f"{local}@local.example"} for local in ("sender", "nobody")]
        ndjson(tmp_path / "local.ndjson", found)
        survey_files(tmp_path / "local.ndjson", tmp_path / "local.parquet")
        resolve(inputs=[tmp_path / "local.parquet"])
        classify_files(
            tmp_path / "local.ndjson", tmp_path / "out.parquet", dns=Snapshot.open(str(tmp_path / "dns.arrow"))
        )
        with live(server) as dns:
            classify_files(tmp_path / "local.ndjson", tmp_path / "live.parquet", dns=dns)

        assert said(tmp_path / "out.parquet") == [("unknown", "evaluated")] * 2
        assert said(tmp_path / "live.parquet") == [("yes", "evaluated"), ("no", "evaluated")]

    def test_manifest_and_summary_say_how_much_was_evaluated(self, resolve, archive, tmp_path):
        resolve()
        result = classify_files(archive, tmp_path / "out.parquet", dns=Snapshot.open(str(tmp_path / "dns.arrow")))
        found = result.manifest["verdicts"]["spf"]
        count = len(rows()) - len(CLIENTS)

        assert found == {
            "records": count, "domains": len(DOMAINS), "compiled": len(DOMAINS) - 2,
            "not_compiled": {"macro %{i}": 1, "ptr": 1}, "not_compiled_names": NOT_COMPILED, "not_listed": 0,
            "outcomes": 2 * len(CLIENTS),
        }  # fmt: skip
        assert (
            f"SPF evaluated for {count} records of {len(DOMAINS)} domains, {len(DOMAINS) - 2} of them compiled, "
            f"the others message by message (macro %{{i}} 1, ptr 1: {', '.join(NOT_COMPILED)})"
        ) in summary_lines(result.summary)

    def test_recorded_results_are_not_evaluated_nor_asked_about(self, server, tmp_path):
        known = ndjson(tmp_path / "known.ndjson", [{**row, "spf": "fail"} for row in rows()])
        with live(server) as dns:
            result = classify_files(known, tmp_path / "out.parquet", dns=dns)
        server.mark()

        assert set(said(tmp_path / "out.parquet")) == {("no", "log")}
        assert (result.manifest["verdicts"]["spf"]["records"], {"TXT"} & {rdtype for _, _, rdtype in server.log}) == (
            0,
            set(),
        )

    def test_a_snapshot_without_texts_evaluates_nothing(self, resolve, archive, tmp_path):
        held = resolve(spf=False)
        result = classify_files(archive, tmp_path / "out.parquet", dns=Snapshot.open(str(tmp_path / "dns.arrow")))

        assert {"TXT"} & {row["rdtype"] for row in held} == set()
        assert set(said(tmp_path / "out.parquet")) == {("unknown", None)}
        assert result.manifest["verdicts"]["spf"] is None
        assert not any(line.startswith("SPF evaluated") for line in summary_lines(result.summary))

    def test_two_runs_over_one_snapshot_count_the_same(self, resolve, archive, tmp_path):
        resolve()
        snapshot = Snapshot.open(str(tmp_path / "dns.arrow"))
        first, second = (classify_files(archive, tmp_path / f"{n}.parquet", dns=snapshot) for n in (1, 2))

        assert first.manifest["verdicts"] == second.manifest["verdicts"]

    def test_a_time_out_is_a_temperror(self, server, tmp_path):
        """And takes no longer for the whole domain than for its record."""
        server.zones["esp.example"] = "silent"
        row = {**rows()[0], "mail_from": "a@moved.example"}
        with live(server, timeout=0.3) as dns:
            classify_files(ndjson(tmp_path / "one.ndjson", [row]), tmp_path / "out.parquet", dns=dns)

        assert said(tmp_path / "out.parquet") == [("unknown", "evaluated")]

    def test_a_cache_in_the_output_directory_is_refused(self, server, archive, tmp_path):
        (tmp_path / "out").mkdir()
        with (
            live(server, cache=str(tmp_path / "out" / "cache.sqlite")) as dns,
            pytest.raises(UsageError, match="output directory"),
        ):
            classify_files(archive, tmp_path / "out", dns=dns)

    def test_outside_its_context_there_is_no_spf(self, server):
        with pytest.raises(UsageError, match="not entered"):
            live(server).new_spf()


class TestResolve:
    def test_no_question_is_asked_twice_but_to_confirm_an_absence(self, server, resolve):
        found = {(row["name"], row["rdtype"]): row for row in resolve()}
        server.mark()
        asked = Counter((name, rdtype) for _, name, rdtype in server.log)

        assert {row["status"] for key, row in found.items() if asked[key] > 1} == {"absent"}
        assert max(asked.values()) == 2
        assert all(row["confirmed"] for row in found.values() if row["status"] == "absent" and row["rdtype"] == "TXT")

    def test_texts_are_kept_whole(self, resolve):
        found = {row["name"]: row for row in resolve() if row["rdtype"] == "TXT"}

        assert found["static.example"]["rdata"] == sorted(ZONE["static.example"]["TXT"])
        assert (found["gone.example"]["reason"], found["silent.example"]["reason"]) == ("nxdomain", "nodata")

    def test_the_summary_names_what_was_not_compiled(self, resolve):
        resolve()
        summary = resolve.result.summary
        tuples = len(rows()) - len(CLIENTS)

        assert (summary["rows"]["spf"], summary["rows"]["other"]) == (tuples, 0)
        assert {key: summary["spf"][key] for key in SPF_COUNTS} == {
            "tuples": tuples, "domains": len(DOMAINS), "compiled": len(DOMAINS) - 2,
            "not_compiled": {"macro %{i}": 1, "ptr": 1}, "not_compiled_names": NOT_COMPILED, "unknown": {},
        }  # fmt: skip

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_run_that_goes_on_ends_as_one_that_was_never_ended(self, server, resolve, tmp_path, processes):
        whole = resolve("whole.arrow", cache=None, processes=processes)
        half = pq.read_table(tmp_path / "names.parquet")
        pq.write_table(half.slice(0, len(half) // 2), tmp_path / "half.parquet")
        resolve("half.arrow", inputs=[tmp_path / "half.parquet"])
        before = server.mark()
        again = resolve()
        resumed = server.mark() - before
        third = resolve("third.arrow")

        assert whole == again == third
        assert 0 < resumed < before
        assert server.mark() == before + resumed
        assert resolve.result.summary["spf"]["asked"] == 0

    def test_offline_only_the_cache_speaks(self, server, resolve):
        first = resolve()
        before = server.mark()

        assert resolve("again.arrow", offline=True) == first

        unknown = resolve("nothing.arrow", offline=True, cache=None)

        assert {(row["status"], row["reason"]) for row in unknown if row["rdtype"] == "TXT"} == {("unknown", "offline")}
        assert server.mark() == before
        assert resolve.result.summary["spf"]["unknown"] == {"offline": len(DOMAINS)}

    def test_what_failed_is_asked_once_more(self, server, resolve):
        server.zones["esp.example"] = "servfail"
        found = {row["name"]: row for row in resolve() if row["rdtype"] == "TXT"}
        server.mark()

        assert (found["esp.example"]["status"], found["esp.example"]["reason"]) == ("unknown", "servfail")
        assert 2 == sum((name, rdtype) == ("esp.example", "TXT") for _, name, rdtype in server.log)
        assert resolve.result.summary["spf"]["unknown"] == {"servfail": 1}

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_record_that_makes_a_flood_of_names_is_capped(self, server, resolve, tmp_path, processes):
        """Which names are left out depends on the names alone; their tuples are unknown, never *no*."""
        server.zones["flood.example"] = {"TXT": ['"v=spf1 exists:%{i}.names.flood.example -all"']}
        found = ndjson(tmp_path / "flood.ndjson", [
            {**rows()[0], "mail_from": "a@flood.example", "client_ip": f"192.0.2.{n}"} for n in range(1, 30)
        ])  # fmt: skip
        survey_files(found, tmp_path / "flood.parquet")
        held = resolve(inputs=[tmp_path / "flood.parquet"], zone_cap=5, processes=processes)
        server.mark()
        asked = {name for _, name, _ in server.log if name.endswith(".names.flood.example")}
        classify_files(found, tmp_path / "out.parquet", dns=Snapshot.open(str(tmp_path / "dns.arrow")))

        assert asked == {f"192.0.2.{n}.names.flood.example" for n in sorted(map(str, range(1, 30)))[:5]}
        assert Counter(row["reason"] for row in held if row["name"].endswith(".names.flood.example")) == {
            "nxdomain": 5, "zone_cap": 24,
        }  # fmt: skip
        assert Counter(said(tmp_path / "out.parquet")) == {("no", "evaluated"): 5, ("unknown", "evaluated"): 24}

    def test_the_snapshot_has_one_answer_a_question(self, resolve):
        """Of names that both sender domains and records name, too."""
        keys = [(row["name"], row["rdtype"]) for row in resolve()]

        assert keys == sorted(set(keys))
        assert {("static.example", "MX"), ("static.example", "TXT"), ("silent.example", "A")} <= set(keys)


class TestLame:
    """What a lame server says is never an absence: not a missing record, not a void look-up."""

    @pytest.fixture
    def lame(self):
        script = {
            (f"{mode}-spf.example", "TXT"): of_type(
                "TXT", f'"v=spf1 a:{mode}.a.example a:{mode}.b.example a:{mode}.c.example ip4:192.0.2.1 -all"'
            )
            for mode in LAME
        }
        with serving(script) as running:
            yield running

    @pytest.fixture
    def lame_archive(self, tmp_path):
        names = [name for mode in LAME for name in (f"{mode}-spf.example", f"{mode}.own.example")]
        base = {"direction": "outbound", "recipient": "b@partner.example", "client_ip": "192.0.2.1"}
        return ndjson(tmp_path / "lame.ndjson", [{**base, "mail_from": f"a@{name}"} for name in names])

    def test_it_is_unknown_in_a_snapshot_and_live(self, lame, lame_archive, tmp_path):
        survey_files(lame_archive, tmp_path / "names.parquet")
        options = ResolveOptions(resolvers=[lame.address], rate=0, timeout=0.5, attempts=1, recheck_after=0.0)
        resolve_names([tmp_path / "names.parquet"], tmp_path / "dns.arrow", options=options)
        classify_files(lame_archive, tmp_path / "snapshot.parquet", dns=Snapshot.open(str(tmp_path / "dns.arrow")))
        with LiveDns([lame.address], rate=0, timeout=0.5, attempts=1) as dns:
            classify_files(lame_archive, tmp_path / "live.parquet", dns=dns)

        assert said(tmp_path / "snapshot.parquet") == [("unknown", "evaluated")] * 2 * len(LAME)
        assert said(tmp_path / "live.parquet") == [("unknown", "evaluated")] * 2 * len(LAME)


def test_the_command_line_resolves_a_survey(server, archive, tmp_path):
    """In plain words, and left aside where that is asked for."""
    from tests.test_whole_command import run

    (tmp_path / "tenant.toml").write_text('[[tenant]]\naccepted_domains = ["contoso.com"]\n')
    run("survey", archive, "--tenant", tmp_path / "tenant.toml", "-o", tmp_path / "names.parquet")
    asked = ("--resolver", server.address, "--cache", "none", "--rate", "0", "--attempts", "1")
    said_ = run("resolve", tmp_path / "names.parquet", *asked, "-o", tmp_path / "dns.arrow").stderr
    aside = run("resolve", tmp_path / "names.parquet", "--no-spf", *asked, "--json", "-q", "-o", tmp_path / "dns.arrow")
    tuples = len(rows()) - len(CLIENTS)

    assert f"SPF: {tuples} tuples of {len(DOMAINS)} domains, {len(DOMAINS) - 2} of them compiled" in said_
    assert "evaluated message by message: ptr  1" in said_
    assert orjson.loads(aside.stdout)["rows"] == {
        "read": len(DOMAINS) + tuples,
        "names": len(DOMAINS),
        "spf": 0,
        "other": tuples,
        "rejected": 0,
    }
