"""Fixtures that several test files share: outside data, the shipped tables, Hypothesis profiles."""

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.reference.networks import Tables, load_tables

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(find_spec("poolsift").origin).parent / "data"
OUTSIDE = Path(os.environ.get("POOLSIFT_SHARED") or ROOT.parent / "shared")
NOT_HERE = "outside data is not here: set POOLSIFT_SHARED or put it in ../shared"

# A run that a shell put into the background ignores interrupts, and so would every command that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Under a loaded machine a single example may be slow without being wrong.
_QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("dev", max_examples=50, **_QUIET)
settings.register_profile("thorough", max_examples=5_000, **_QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of outside data; the test is skipped where it is absent."""
    if not OUTSIDE.is_dir():
        pytest.skip(NOT_HERE)
    return OUTSIDE


@pytest.fixture(scope="session")
def tables() -> Tables:
    """The shipped dated tables as the reference reads them."""
    return load_tables(DATA)
