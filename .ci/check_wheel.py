"""The wheel holds stubs, the marker, the data and the modules, no generated or C++ source, and modules built as hardened as setup.py says."""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WANTED = (
    "py.typed",
    "core.pyi",
    "nouns.pyi",
    "arrow_c.pyi",
    "arrow_rows.pyi",
    "2023-11.toml",
    "prefixes.toml",
    "cli/__init__.py",
)


def names_are_right(names: list[str]) -> list[str]:
    """What is missing, and what should not be there."""
    missing = [f"missing: {one}" for one in WANTED if not any(name.endswith(one) for name in names)]
    surplus = [
        f"surplus: {name}" for name in names if name.endswith((".cpp", ".hpp", ".c")) or name.startswith("tests/")
    ]
    return missing + surplus


def module_is_hardened(path: Path) -> list[str]:
    """Full relro, immediate binding, no executable stack."""
    text = subprocess.run(["readelf", "-ldW", str(path)], capture_output=True, text=True, check=True).stdout
    wrong = []
    if "GNU_RELRO" not in text:
        wrong.append("no relro")
    if "BIND_NOW" not in text and "NOW" not in text:
        wrong.append("no immediate binding")
    stack = next((line for line in text.splitlines() if "GNU_STACK" in line), "")
    if " RWE " in stack or not stack:
        wrong.append("executable stack")
    return [f"{path.name}: {what}" for what in wrong]


def main() -> int:
    """Exit code 1 with one line a finding."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(sys.argv[1]) as wheel:
        findings = names_are_right(wheel.namelist())
        for name in wheel.namelist():
            if name.endswith(".so"):
                findings += module_is_hardened(Path(wheel.extract(name, folder)))
    print("\n".join(findings) or f"wheel is whole: {len(wheel.namelist())} files")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
