"""One simulator process for the session, set back before every test."""

from collections.abc import Iterator

import pytest

from tools.simulator.client import SimulatorClient
from tools.simulator.process import SimulatorProcess

INSTANT = {"*": {"*": {"kind": "fixed", "seconds": 0}}}


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    with SimulatorProcess(config={"latency": INSTANT}) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    if "simulator" in request.fixturenames:
        running: SimulatorProcess = request.getfixturevalue("simulator")
        running.client.configure({"latency": INSTANT})
        running.client.reset()


@pytest.fixture
def control(simulator: SimulatorProcess) -> SimulatorClient:
    return simulator.client
