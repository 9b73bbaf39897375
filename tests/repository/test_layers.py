"""Imports point down: the floors of docs/internals.md, read from the sources."""

import ast
import re
from pathlib import Path

import pytest

import poolsift

PACKAGE = Path(poolsift.__file__).parent
TOP = Path(__file__).resolve().parents[2]

SUBJECT = {
    "records", "verdicts", "evidence", "rules", "fixes", "tenant", "networks", "srs", "explain", "classifier",
    "domain_facts", "errors", "tables", "toml_text", "tenant_text", "tenant_file",
    "verdict_stream", "spf_inputs",
}  # fmt: skip
FLOORS = {
    "_native": 1, **dict.fromkeys(SUBJECT, 2), "readers": 3, "writers": 3, "dns": 3, "spf": 3, "engines": 4, "analysis": 4,
    "demo": 4, "cli": 5, "__main__": 5,
}  # fmt: skip
# modules of floor 2 that live in a folder of floor 3: they decide, the others there do the I/O
LOWER = {
    f"dns.{name}": 2 for name in ("answers", "names", "judge", "inquiry", "pacing", "zones", "cache_entry", "blocklist")
}


def floor_of(dotted: str) -> int | None:
    """The floor of `poolsift.X[.Y]`; None for the package itself, which exports from every floor, lazily."""
    parts = dotted.split(".")[1:]
    if not parts:
        return None
    return LOWER.get(".".join(parts[:2]), FLOORS.get(parts[0]))


def imports(path: Path):
    """(line, module) of every import of ours that runs when the module does, also inside functions."""
    typing_only = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typing_only |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("poolsift"):
            if node.module == "poolsift":
                yield from ((node.lineno, f"poolsift.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.startswith("poolsift"))


def modules():
    """Every module of the package but its front door."""
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path):
    """No module imports from a floor above its own."""
    dotted = "poolsift." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
    own = floor_of(dotted)
    wrong = [(line, module) for line, module in imports(path) if (floor_of(module) or 0) > own]

    assert wrong == []


def test_every_part_has_a_floor():
    """A new folder or module is placed before it is used."""
    parts = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in modules()}

    assert parts - set(FLOORS) == set()


def test_the_core_knows_no_python_and_does_no_io():
    """native/ includes neither Python nor streams, files, sockets or clocks."""
    banned = re.compile(
        r"#include\s*<(Python\.h|fstream|iostream|cstdio|stdio\.h|chrono|ctime|time\.h|sys/socket\.h|thread|filesystem)>"
    )
    files = [path for folder in ("include", "src") for path in (TOP / "native" / folder).rglob("*.[ch]pp")]
    found = [
        (path.name, match.group(1)) for path in files for match in banned.finditer(path.read_text(encoding="utf-8"))
    ]

    assert files
    assert found == []


def test_pyarrow_json_is_used_nowhere():
    """A lone `null` line crashes that reader."""
    texts = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]

    assert not any(re.search(r"pyarrow\.json|from pyarrow import json|pa\.json", text) for text in texts)
