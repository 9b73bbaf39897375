"""The public names, the version, and what importing them costs."""

import subprocess
import sys
from importlib.metadata import version

import poolsift


def test_all_is_sorted_and_whole():
    """Every public name can be had, and the list is in order."""
    assert sorted(poolsift.__all__) == list(poolsift.__all__)
    assert [name for name in poolsift.__all__ if not hasattr(poolsift, name)] == []


def test_version_is_the_distributions():
    """One place holds the version."""
    assert poolsift.__version__ == version("poolsift")


def test_import_loads_nothing_heavy():
    """`import poolsift` and a Classifier stay clear of pyarrow, rich, click and the DNS libraries."""
    code = "import poolsift, sys; poolsift.Classifier; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert {"pyarrow", "rich", "click", "aiodns", "pycares", "dns", "spf", "numpy"} & set(loaded) == set()
