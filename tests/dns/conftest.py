"""What several tests of the resolver share: the scripted server, and every mode run once."""

import asyncio

import pytest

from tests.dns.engine_runs import Run, run_modes
from tests.dns.scripted_server import ScriptedServer, serving
from tests.dns.section5 import TIMEOUTS


@pytest.fixture
def server() -> ScriptedServer:
    """A scripted server of this test alone."""
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def runs() -> dict[str, Run]:
    """Every mode of the scripted server, met by a real engine."""
    with serving() as running:
        return asyncio.run(run_modes(running, TIMEOUTS))
