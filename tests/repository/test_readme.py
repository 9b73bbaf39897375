"""What the README shows is what happens."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_library_example_prints_what_stands_below_it():
    """The Python block of the README, run as it is."""
    code, shown = re.search(
        r"```python\n(.*?)```\n```\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL
    ).groups()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown == done.stdout


def test_the_commands_named_exist():
    """Every `poolsift WORD` of the README is a command."""
    text = README.read_text(encoding="utf-8")
    code = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + re.findall(r"`([^`\n]+)`", text)
    named = set(re.findall(r"(?:^|[ /])poolsift ([a-z]+)\b", "\n".join(code), re.MULTILINE))
    help_text = subprocess.run(
        [sys.executable, "-m", "poolsift", "--help"], capture_output=True, text=True, check=True
    ).stdout
    commands = set(re.findall(r"^  ([a-z]+) ", help_text, re.MULTILINE))

    assert named
    assert named - commands == set()
