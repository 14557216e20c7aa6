from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.harness.bench import Bench
from tests.harness.key_watch import KeyWatch, watching

# What stays on one worker of pytest-xdist each, since its tests share a local stack or a build. All other tests go
# wherever there is room.
TOGETHER = (
    *("tests/chaos", "tests/e2e", "tests/local", "tests/outages/test_outage.py", "tests/sam_local"),
    *("tests/infra/test_layer.py", "tests/aws_rules/test_alarms_ring.py", "tests/aws_rules/test_local_aws.py"),
)

# No test asserts a time: an example may take as long as a busy machine lets it. `make test-all` draws more examples, by
# --hypothesis-profile=thorough; tests that draw many more, or many fewer, than others take a share of the profile's.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", UNTIMED, max_examples=100)
settings.register_profile("thorough", UNTIMED, max_examples=500)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dynamodb-local", help="the folder of DynamoDB Local, whose tables the contract tests then use")
    parser.addoption("--outage-minute", default="1", help="seconds that stand for a minute of the long outages")


class ByFolder(LoadScopeScheduling):  # type: ignore[misc] # xdist's classes are untyped
    """Keeps `TOGETHER` what is to stay so."""

    def _split_scope(self, nodeid: str) -> str:
        return next((path for path in TOGETHER if nodeid.startswith(path)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    return ByFolder(config, log)


def pytest_collection_finish() -> None:
    """What was imported and collected stays, and need not be looked through again whenever garbage is collected."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows how large a long test was and how long it took, whichever worker ran it."""
    for report in (each for outcome in ("passed", "failed") for each in terminalreporter.getreports(outcome)):
        said = dict(report.user_properties).get("size and time")
        if said and report.when == "call":
            terminalreporter.write_line(str(said))


@pytest.fixture(scope="session")
def key_watch() -> Iterator[KeyWatch]:
    with watching() as watch:
        yield watch


@pytest.fixture(autouse=True)
def no_key_leaks(key_watch: KeyWatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test of the suite is a test of this, too."""
    yield
    found = key_watch.take()
    if request.node.get_closest_marker("plants_keys") is None:
        assert found == []


@pytest.fixture
def bench() -> Bench:
    """A world in memory, with a worker for each message."""
    return Bench()


@pytest.fixture
def fresh() -> Callable[[], Bench]:
    """For tests that need several."""
    return Bench
