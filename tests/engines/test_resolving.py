"""resolve as a whole: names in, a snapshot out that says what the server said, however often and by however many it was asked."""

from datetime import UTC, datetime, timedelta

import pytest

from poolsift import ResolveOptions, Snapshot, Tenant, resolve_names
from poolsift.dns.answers import Answer, AnswerStatus, Question
from poolsift.dns.cache import DnsCache
from poolsift.dns.inquiry import Inquiry
from poolsift.dns.servers import Server
from poolsift.engines.asking_processes import ProcessAsker
from poolsift.errors import DnsIncompleteError, UsageError
from tests.dns.counting_server import CountingServer, world

COUNT = 80
#: The server's addresses are documentation's, which nobody routes.
PRESENT, ADDRESS, NODATA, NXDOMAIN = (
    ("present", None), ("present", "unroutable"), ("absent", "nodata"), ("absent", "nxdomain")
)  # fmt: skip
TENANT = Tenant.parse(
    '[[tenant]]\nname = "c"\naccepted_domains = ["contoso.com", "fabrikam.com", "adatum.com", "n0.w0.world.example"]\n'
)
MAIL = {
    "contoso.com": {"MX": ["10 mail.contoso.com.", "20 mail2.contoso.com."], "A": ["192.0.2.1"]},
    "mail.contoso.com": {"A": ["192.0.2.2"], "AAAA": ["2001:db8::2"]},
    "mail2.contoso.com": {"A": ["192.0.2.3"]},
    "fabrikam.com": {"MX": ["0 ."]},
    "mail.n0.w0.world.example": {"A": ["192.0.2.4"]},
    "mail2.n0.w0.world.example": "nodata",
}


@pytest.fixture
def server():
    with CountingServer(world(COUNT)) as running:
        yield running


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{name}\n" for name in world(COUNT)))
    return path


@pytest.fixture
def resolve(server, names, tmp_path):
    """A run over the names with one cache; rows of the snapshot without times, unless it fails."""

    def run(out="dns.arrow", *, inputs=None, tenant=None, **options):
        given = {"cache": str(tmp_path / "cache.sqlite"), "rate": 0, "recheck_after": 0.0, "attempts": 1, **options}
        options = ResolveOptions(resolvers=[server.address], **given)
        run.result = resolve_names(inputs or [names], tmp_path / out, options=options, tenant=tenant)
        return rows(tmp_path / out)

    return run


def rows(path):
    table = Snapshot.open(str(path)).rows
    return table.drop_columns(["asked_at"]).to_pylist()


def statuses(found):
    """(status, reason) by name and type."""
    return {(row["name"], row["rdtype"]): (row["status"], row["reason"]) for row in found}


def keep(server, tmp_path, answers, age):
    """Put answers into the cache that were given `age` seconds ago."""
    asked_at = datetime.now(UTC) - timedelta(seconds=age)
    with DnsCache.open(str(tmp_path / "cache.sqlite"), view=server.address) as cache:
        cache.put(
            (Question(name, rdtype), Answer(status, rdata, 300, reason, asked_at, confirmed=status == "absent"))
            for name, rdtype, status, rdata, reason in answers
        )


def test_every_name_has_what_the_server_says(resolve, server):
    """Present, absent after a second look, AAAA only where it marks something; A only where there is no MX."""
    found = statuses(resolve())
    kinds = (
        {"MX": PRESENT}, {"MX": PRESENT}, {"MX": NODATA, "A": ADDRESS}, {"MX": PRESENT},
        {"MX": NODATA, "A": NODATA, "AAAA": NODATA}, {"MX": NODATA, "A": NODATA, "AAAA": ADDRESS},
        {"MX": PRESENT}, {"MX": NXDOMAIN, "A": NXDOMAIN},
    )  # fmt: skip
    expected = {
        (name, rdtype): said
        for number, name in enumerate(server.zones)
        for rdtype, said in kinds[number % len(kinds)].items()
    }
    summary = resolve.result.summary

    assert expected == found
    assert (COUNT, COUNT * 5 // 8, COUNT * 3 // 8) == (summary["names"], summary["resolves"], summary["neither"])
    assert (COUNT, 0, {}) == (summary["asked"], summary["from_cache"], summary["unknown"])


@pytest.mark.parametrize("out", ["again.arrow", "again.parquet"])
def test_a_second_run_within_the_ttl_asks_nobody_and_finds_the_same(resolve, server, out):
    """The cache is the checkpoint; the form of the output is all the same."""
    first = resolve()
    before = server.mark()

    assert first == resolve(out)
    assert before == server.mark()
    assert (COUNT, 0) == (resolve.result.summary["from_cache"], resolve.result.summary["queries"])


@pytest.mark.parametrize("ending", ["arrow", "parquet"])
def test_a_snapshot_that_is_read_and_written_has_the_same_bytes(resolve, tmp_path, ending):
    resolve(f"dns.{ending}", tenant=TENANT)
    sha256 = Snapshot.open(str(tmp_path / f"dns.{ending}")).write(str(tmp_path / f"copy.{ending}"))

    assert (tmp_path / f"dns.{ending}").read_bytes() == (tmp_path / f"copy.{ending}").read_bytes()
    assert resolve.result.summary["sha256"] == sha256


def test_the_manifest_says_whom_and_what_and_when(resolve, server, tmp_path):
    resolve(need="full")
    manifest = Snapshot.open(str(tmp_path / "dns.arrow")).manifest
    versions = {key for key in manifest if key.startswith("version_")}

    assert (server.address, "full") == (manifest["resolvers"], manifest["need"])
    assert versions == {
        "version_aiodns", "version_dnspython", "version_idna", "version_poolsift", "version_pycares", "version_pyspf",
    }  # fmt: skip
    assert datetime.fromisoformat(manifest["started"]) <= datetime.fromisoformat(manifest["finished"])


def test_full_asks_mx_and_a_of_every_name(resolve, server):
    """Also of a name whose MX alone settles it, and what is known already is not asked again."""
    resolve()
    before = server.mark()
    found = resolve(need="full")
    new = {(name, rdtype) for _, name, rdtype in server.log[before:]}

    assert {(name, rdtype) for name in server.zones for rdtype in ("A", "MX")} <= statuses(found).keys()
    assert {(name, "A") for name, types in server.zones.items() if types and "MX" in types} == new


def test_names_that_cannot_exist_are_in_the_snapshot_and_nobodys_question(resolve, server, tmp_path):
    (tmp_path / "odd.txt").write_text("printer\nx.local\nn1.w1.world.example\n")
    found = statuses(resolve(inputs=[tmp_path / "odd.txt"]))
    server.mark()

    assert ("invalid", "single_label") == found["printer", "MX"] == found["printer", "A"]
    assert ("invalid", "special_use") == found["x.local", "MX"] == found["x.local", "A"]
    assert {"single_label": 1, "special_use": 1} == resolve.result.summary["invalid"]
    assert {("n1.w1.world.example", "MX")} == {(name, rdtype) for _, name, rdtype in server.log}


def test_of_accepted_domains_mx_and_a_are_asked_and_of_their_mail_hosts_the_addresses(resolve, server, tmp_path):
    """Whatever the names need; a null MX names no host, and a domain among the names keeps one row a type."""
    server.zones.update(MAIL)
    (tmp_path / "few.txt").write_text("n0.w0.world.example\nn2.w2.world.example\n")
    found = statuses(resolve(inputs=[tmp_path / "few.txt"], tenant=TENANT))

    assert {
        ("contoso.com", "MX"): PRESENT, ("contoso.com", "A"): ADDRESS,
        ("mail.contoso.com", "A"): ADDRESS, ("mail.contoso.com", "AAAA"): ADDRESS,
        ("mail2.contoso.com", "A"): ADDRESS, ("mail2.contoso.com", "AAAA"): NODATA,
        ("fabrikam.com", "MX"): PRESENT, ("fabrikam.com", "A"): NODATA,
        ("adatum.com", "MX"): NXDOMAIN, ("adatum.com", "A"): NXDOMAIN,
        ("n0.w0.world.example", "MX"): PRESENT, ("n0.w0.world.example", "A"): NODATA,
        ("mail.n0.w0.world.example", "A"): ADDRESS, ("mail.n0.w0.world.example", "AAAA"): NODATA,
        ("mail2.n0.w0.world.example", "A"): NODATA, ("mail2.n0.w0.world.example", "AAAA"): NODATA,
        ("n2.w2.world.example", "MX"): NODATA, ("n2.w2.world.example", "A"): ADDRESS,
    } == found  # fmt: skip
    assert (2, 4, 4) == tuple(resolve.result.summary[key] for key in ("names", "accepted_domains", "mail_hosts"))


class TestZoneCap:
    @pytest.fixture
    def zone(self, server, tmp_path):
        """Twenty names below one domain, and one elsewhere."""
        flood = {f"x{number:02}.flood.example": {"MX": ["10 mail.flood.example."]} for number in range(20)}
        server.zones.update({**flood, "elsewhere.example": {"A": ["192.0.2.1"]}})
        (tmp_path / "zone.txt").write_text("elsewhere.example\n" + "".join(f"{name}\n" for name in flood))
        return tmp_path / "zone.txt"

    def test_the_first_names_are_asked_and_the_others_unknown(self, resolve, server, zone):
        """One row more or less below the cap never counts as absent."""
        found = statuses(resolve(inputs=[zone], zone_cap=5))

        assert (PRESENT, ADDRESS) == (found["x04.flood.example", "MX"], found["elsewhere.example", "A"])
        assert ("unknown", "zone_cap") == found["x05.flood.example", "MX"] == found["x19.flood.example", "A"]
        assert {"zone_cap": 15} == resolve.result.summary["unknown"]
        assert 5 == sum(name.endswith("flood.example") for _, name, _ in server.log)

    @pytest.mark.parametrize("processes", [1, 2])
    def test_a_run_that_goes_on_leaves_out_the_same_names(self, resolve, zone, processes):
        """What was learned before a kill takes no room from it, and several processes have no cap each."""
        whole = resolve("whole.arrow", inputs=[zone], zone_cap=5, cache=None)
        part = zone.with_name("part.txt")
        part.write_text("x00.flood.example\nx03.flood.example\n")
        resolve("part.arrow", inputs=[part], zone_cap=5)

        assert whole == resolve(inputs=[zone], zone_cap=5, processes=processes)

    def test_a_run_with_more_room_asks_the_rest(self, resolve, zone):
        """That nobody was asked is no failure that anybody has to wait for."""
        resolve(inputs=[zone], zone_cap=5)
        found = resolve(inputs=[zone], zone_cap=0)

        assert {"present"} == {row["status"] for row in found if row["name"].endswith("flood.example")}

    def test_answers_that_are_there_count_beyond_the_cap(self, resolve, zone):
        """The cap is on questions."""
        resolve(inputs=[zone], zone_cap=0)

        resolve(inputs=[zone], zone_cap=5)

        assert {} == resolve.result.summary["unknown"]

    def test_an_accepted_domain_is_asked_whatever_the_cap(self, resolve, zone):
        accepted = Tenant.parse('[[tenant]]\nname = "c"\naccepted_domains = ["x19.flood.example"]\n')
        found = statuses(resolve(inputs=[zone], zone_cap=5, tenant=accepted))

        assert PRESENT == found["x19.flood.example", "MX"]


def test_several_processes_find_the_same(resolve, server):
    """Down to the byte of every row, with a cache of their own each."""
    one = resolve("one.arrow", cache=None, rate=2_000)
    two = resolve("two.arrow", cache=None, rate=2_000, processes=2)

    assert one == two
    assert COUNT == resolve.result.summary["asked"]


@pytest.mark.timeout(100)
def test_processes_and_run_never_wait_for_each_other_to_listen():
    """Answers of before and news together are more than what the system holds between two processes."""
    zones = {f"n{number}.example": {"A": ["192.0.2.1"]} for number in range(2_500)}
    done = []

    def inquiry(name):
        hosts = tuple(f"{place} {'long-' * 10}.{name}" for place in range(10, 74))
        return Inquiry(name, "full", {"MX": Answer(AnswerStatus.PRESENT, hosts, 300)})

    with CountingServer(zones) as server:
        servers = [Server.parse(server.address)]
        with ProcessAsker(servers, processes=2, rate=6_000, zone_cap=0, timeout=20, probe=False) as asker:
            asker.run(map(inquiry, zones), done.append)

    assert len(zones) == len(done)
    assert {"present"} == {one.answers["A"].status for one in done}


class TestOffline:
    def test_what_the_cache_holds_fresh_is_published(self, resolve, server):
        """The same rows, and nobody is asked."""
        first = resolve()
        before = server.mark()

        assert first == resolve(offline=True)
        assert before == server.mark()
        assert [] == resolve.result.summary["resolvers"]

    def test_what_it_does_not_hold_is_unknown_and_not_lost(self, resolve, server, tmp_path):
        """Neither a name that is missing, nor one of which a part is known, nor one whose time is over."""
        keep(
            server, tmp_path,
            [("fresh.example", "MX", "present", ("10 a.example",), None), ("half.example", "MX", "absent", (), "nodata")],
            10,
        )  # fmt: skip
        keep(server, tmp_path, [("old.example", "MX", "present", ("10 a.example",), None)], 301)
        (tmp_path / "some.txt").write_text("fresh.example\nhalf.example\nold.example\nnever.example\n")
        found = statuses(resolve(inputs=[tmp_path / "some.txt"], offline=True))

        assert {
            ("fresh.example", "MX"): PRESENT,
            ("half.example", "MX"): NODATA, ("half.example", "A"): ("unknown", "offline"),
            ("old.example", "MX"): ("unknown", "offline"), ("old.example", "A"): ("unknown", "offline"),
            ("never.example", "MX"): ("unknown", "offline"), ("never.example", "A"): ("unknown", "offline"),
        } == found  # fmt: skip
        assert ({"offline": 3}, 1) == (resolve.result.summary["unknown"], resolve.result.summary["from_cache"])

    def test_old_answers_stand_in_where_they_may(self, resolve, server, tmp_path):
        keep(server, tmp_path, [("old.example", "MX", "present", ("10 a.example",), None)], 400)
        (tmp_path / "some.txt").write_text("old.example\n")
        found = statuses(resolve(inputs=[tmp_path / "some.txt"], offline=True, max_stale=3_600))

        assert ("present", "stale") == found["old.example", "MX"]


class TestStale:
    @pytest.fixture
    def old(self, server, names, tmp_path):
        """A resolver that fails, and answers of before whose time is over by a minute."""
        server.refuses = True
        names.write_text("had.example\nhad-none.example\nnever.example\n")
        keep(
            server, tmp_path,
            [("had.example", "MX", "present", ("10 a.example",), None),
             ("had-none.example", "MX", "absent", (), "nxdomain"), ("had-none.example", "A", "absent", (), "nxdomain")],
            360,
        )  # fmt: skip

    def test_failures_are_unknown_without_leave(self, old, resolve):
        """An old absence is no absence."""
        with pytest.raises(DnsIncompleteError) as caught:
            resolve()

        assert ({"refused": 3}, 3) == (caught.value.reasons, caught.value.asked)

    def test_with_leave_old_answers_stand_in_and_say_so(self, old, resolve):
        found = statuses(resolve(max_stale=3_600))

        assert ("present", "stale") == found["had.example", "MX"]
        assert ("absent", "stale") == found["had-none.example", "MX"] == found["had-none.example", "A"]
        assert ("unknown", "refused") == found["never.example", "MX"]
        assert (3, 1, 1) == tuple(resolve.result.summary[key] for key in ("stale", "resolves", "neither"))


class TestRequireDns:
    def test_an_unknown_name_ends_the_run_and_an_older_snapshot_stays(self, resolve, server, names, tmp_path):
        """Neither snapshot nor rejects; what was learned is kept for the next run."""
        (tmp_path / "dns.arrow").write_bytes(b"older")
        server.zones["n1.w1.world.example"] = "servfail"
        names.write_text(names.read_text() + "not a name\n")
        with pytest.raises(DnsIncompleteError) as caught:
            resolve(require_dns=True)
        server.zones["n1.w1.world.example"] = {"MX": ["10 mail.example."]}
        before = server.mark()

        assert (1, COUNT) == (caught.value.unknown, caught.value.asked)
        assert b"older" == (tmp_path / "dns.arrow").read_bytes()
        assert {"dns.arrow", "names.txt", "cache.sqlite"} == {path.name for path in tmp_path.iterdir()}
        assert 0 == sum(name != "n1.w1.world.example" for _, name, _ in server.log[before:])

    def test_all_known_is_enough(self, resolve, names):
        """Absent and invalid names are known."""
        names.write_text(names.read_text() + "printer\n")

        assert resolve(require_dns=True)
        assert 0 == resolve.result.exit_code


def test_names_that_failed_are_asked_once_more_at_the_end(resolve, server, names):
    """A resolver that was down for a moment costs nobody a verdict; a name that answered is left alone."""
    names.write_text("n1.w1.world.example\nn2.w2.world.example\n")
    right = server.zones["n1.w1.world.example"]
    server.zones["n1.w1.world.example"] = "servfail"

    def back(done, total):
        if done == total:
            server.zones["n1.w1.world.example"] = right

    options = ResolveOptions(resolvers=[server.address], attempts=1, recheck_after=0.01)
    result = resolve_names([names], names.with_name("dns.arrow"), options=options, progress=back)
    server.mark()
    asked = [name for _, name, _ in server.log]

    assert (2, {}) == (result.summary["resolves"], result.summary["unknown"])
    assert 2 == asked.count("n2.w2.world.example")


def test_what_people_should_know_is_a_warning(resolve, server, tmp_path):
    """A resolver that makes addresses up, whose lies count as unknown, and a cache that cannot be used."""
    server.everything = ["203.0.113.9"]
    (tmp_path / "some.txt").write_text("made-up.example\n")
    with pytest.raises(DnsIncompleteError) as caught:
        resolve(inputs=[tmp_path / "some.txt"], cache=str(tmp_path / "some.txt" / "cache.sqlite"))
    lies, cache = sorted(caught.value.warnings)[::-1]

    assert {"unconfirmed": 1} == caught.value.reasons
    assert "gives addresses for names that do not exist (203.0.113.9)" in lies
    assert "answers are kept in memory for this run" in cache


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "key"),
        [
            ({"need": "ful"}, "need"), ({"resolvers": []}, "resolvers"), ({"resolvers": "127.0.0.1"}, "resolvers"),
            ({"concurrency": 0}, "concurrency"), ({"attempts": 0}, "attempts"), ({"timeout": 0.0}, "timeout"),
            ({"rate": -1.0}, "rate"), ({"zone_cap": -1}, "zone_cap"), ({"processes": 0}, "processes"),
            ({"max_stale": float("nan")}, "max_stale"), ({"recheck_after": -0.1}, "recheck_after"),
        ],
    )  # fmt: skip
    def test_numbers_and_words_without_sense(self, options, key):
        """Nobody would be asked, or never."""
        with pytest.raises(UsageError) as caught:
            ResolveOptions(**{"resolvers": ["127.0.0.1"], **options})

        assert key == caught.value.key

    def test_nobody_to_ask_is_enough_where_nobody_is_asked(self):
        assert [] == ResolveOptions(resolvers=[], offline=True).servers

    @pytest.mark.parametrize("out", ["-", ".", "names.txt", "new.sqlite", "tenant.toml"])
    def test_places_where_no_snapshot_can_or_may_appear(self, server, names, tmp_path, monkeypatch, out):
        """Before anybody is asked: an input, the tenant file, the cache (there or not yet), a directory, standard output."""
        monkeypatch.chdir(tmp_path)
        (tmp_path / "tenant.toml").write_text('[[tenant]]\nname = "c"\naccepted_domains = ["contoso.com"]\n')
        held = {path: path.read_bytes() for path in tmp_path.iterdir()}
        options = ResolveOptions(resolvers=[server.address], cache="new.sqlite")
        with pytest.raises(UsageError) as caught:
            resolve_names([names], out, options=options, tenant=Tenant.load("tenant.toml"))
        server.mark()

        assert caught.value.key == ("--cache" if out == "new.sqlite" else "-o")
        assert held == {path: path.read_bytes() for path in tmp_path.iterdir()}
        assert [] == server.log


def test_a_run_that_finds_nothing_out_leaves_an_earlier_snapshot(resolve, server, tmp_path):
    """A resolver that fails must not cost what is known already."""
    resolve("dns.arrow")
    before = (tmp_path / "dns.arrow").read_bytes()
    server.refuses = True
    (tmp_path / "few.txt").write_text("contoso.com\n")
    with pytest.raises(DnsIncompleteError):
        resolve("dns.arrow", inputs=[tmp_path / "few.txt"], cache=None, attempts=1)

    assert before == (tmp_path / "dns.arrow").read_bytes()
    assert [] == [path.name for path in tmp_path.iterdir() if path.name.startswith(".tmp-")]
