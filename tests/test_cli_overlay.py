"""`poolsift classify --overlay`: verdicts under changes, said wherever a result is read."""

import json

import orjson
import pytest

from poolsift import Overlay
from tests.test_cli import poolsift
from tests.test_engine import NORMAL, RELAY, ndjson

TENANT = """
[[tenant]]
name = "c"
accepted_domains = ["contoso.com"]
[[tenant.gateway]]
name = "front"
prefixes = ["203.0.113.0/24"]
"""
CHANGES = "# ours\naccept-domain x.example\npublish-dns retired-brand.example\nrules 2026-06\n"


@pytest.fixture
def tenant(tmp_path):
    (tmp_path / "tenant.toml").write_text(TENANT)
    return tmp_path / "tenant.toml"


@pytest.fixture
def source(tmp_path):
    return ndjson(tmp_path / "in.ndjson", [RELAY, NORMAL])


@pytest.fixture
def overlay(tmp_path):
    (tmp_path / "what-if.txt").write_text(CHANGES)
    return tmp_path / "what-if.txt"


def test_the_column_stands_after_the_verdict(source, tenant, overlay):
    """Overridden facts decide, and the column says which they are."""
    rows = [
        [orjson.loads(line) for line in poolsift("classify", source, "--tenant", tenant, *more).stdout.splitlines()]
        for more in ((), ("--overlay", overlay), ("--overlay", overlay, "--compare-rules", "2023-11"))
    ]

    assert [row["pool"] for row in rows[0]] == ["relay", "normal"]
    assert [(row["pool"], row["overlaid"]) for row in rows[1]] == [("normal", 1 << 5), ("normal", 0)]
    assert (list(rows[1][0])[-1], list(rows[2][0])[-2:]) == ("overlaid", ["overlaid", "pool_2023_11"])
    assert "overlaid" not in rows[0][0]


def test_manifest_and_summary_name_it(source, tenant, overlay, tmp_path):
    """The manifest holds the changes in full; the first line of the summary says that they are in force."""
    out = tmp_path / "out"
    ended = poolsift("classify", source, "--tenant", tenant, "--overlay", overlay, "-o", out, "--json")
    verdicts = json.loads((out / "manifest.json").read_bytes())["verdicts"]
    loaded = Overlay.load(str(overlay))

    assert ended.returncode == 0
    assert verdicts["overlay"] == {
        "path": str(overlay),
        "sha256": loaded.digest,
        "lines": ["accept-domain x.example", "publish-dns retired-brand.example", "rules 2026-06"],
    }
    assert verdicts["rules"] == "2026-06"
    assert json.loads(ended.stdout)["overlay"] == {"path": str(overlay), "changes": 3, "records": 1}
    assert ended.stderr.decode().splitlines()[0] == (
        f"overlay {overlay} is in force: 3 changes are taken for made, "
        "facts of 1 of 2 records (50.00%) follow from them"
    )


def test_without_one_nothing_is_said(source, tenant, tmp_path):
    ended = poolsift("classify", source, "--tenant", tenant, "-o", tmp_path / "out", "--json")

    assert json.loads((tmp_path / "out" / "manifest.json").read_bytes())["verdicts"]["overlay"] is None
    assert json.loads(ended.stdout)["overlay"] is None
    assert b"overlay" not in ended.stderr


def test_explain_says_which_facts_follow_from_it(source, tenant, overlay, tmp_path):
    poolsift("classify", source, "--tenant", tenant, "--overlay", overlay, "-o", tmp_path / "out")
    lines = poolsift("explain", tmp_path / "out", "--row", "1").stdout.decode().splitlines()
    (fact,) = (line for line in lines if line.strip().startswith("accepted_domain"))

    assert ": by the overlay; otherwise: " in fact
    assert sum("by the overlay" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("accept-domain contoso\n", "what-if.txt, line 1: accept-domain: not a domain name; found 'contoso'; expected"),
        ("\nenhanced-filtering frond\n", 'what-if.txt, line 2: enhanced-filtering "frond": no such gateway; found'),
        ("rules 2026-6\n", "did you mean 2026-06?"),
    ],
)
def test_a_wrong_overlay_ends_the_run_before_any_work(source, tenant, tmp_path, content, said):
    """Exit 2 with the place, and no output."""
    (tmp_path / "what-if.txt").write_text(content)
    ended = poolsift("classify", source, "--tenant", tenant, "--overlay", "what-if.txt", "-o", "out", cwd=tmp_path)

    assert (ended.returncode, ended.stdout) == (2, b"")
    assert said in ended.stderr.decode()
    assert not (tmp_path / "out").exists()


def test_the_overlay_is_not_overwritten(source, tenant, overlay):
    """Nobody means to lose it to the verdicts under it."""
    ended = poolsift("classify", source, "--tenant", tenant, "--overlay", overlay, "-o", overlay, "--to", "ndjson")

    assert ended.returncode == 2
    assert overlay.read_text() == CHANGES


def test_threads_change_nothing(source, tenant, overlay, tmp_path):
    outs = [tmp_path / name for name in ("a.ndjson", "b.ndjson")]
    for out, threads in zip(outs, (1, 2), strict=True):
        poolsift("classify", source, "--tenant", tenant, "--overlay", overlay, "-o", out, "--threads", threads)

    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert outs[0].read_bytes().count(b'"overlaid":32') == 1
