from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from tests.harness.bench import Bench
from tests.harness.key_watch import KeyWatch, watching

# What has a local stack or a build of its own and mostly waits for it: each stays on one worker of pytest-xdist, the
# longest first. One worker is left to the others, which keep a core busy.
WAITING = (
    *("tests/chaos", "tests/outages/test_outage.py", "tests/sam_local", "tests/e2e", "tests/local/test_media_jobs.py"),
    *("tests/aws_rules/test_alarms_ring.py", "tests/aws_rules/test_outages.py", "tests/aws_rules/test_local_aws.py"),
    *("tests/local/test_stack.py", "tests/infra/test_layer.py"),
)
# What reads the same files.
TOGETHER = (*WAITING, "tests/architecture")
# Whose tests take seconds each, so that they go wherever there is room. All others stay with those of their file.
APART = ("tests/sweep", "tests/virtual_time", "tests/tools/simulation")

# No test asserts a time: an example may take as long as a busy machine lets it. `make test-all` draws more examples, by
# --hypothesis-profile=thorough; tests that draw many more, or many fewer, than others take a share of the profile's.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", UNTIMED, max_examples=100)
settings.register_profile("thorough", UNTIMED, max_examples=500)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--dynamodb-local", help="the folder of DynamoDB Local, whose tables the contract tests then use")
    parser.addoption("--outage-minute", default="1", help="seconds that stand for a minute of the long outages")


def rank(nodeid: str) -> int:
    """Where a test stands in a run: first those whose workers wait, then those that take seconds each."""
    first = (*WAITING, *APART)
    return next((number for number, path in enumerate(first) if nodeid.startswith(path)), len(first))


class ByFile(LoadScopeScheduling):  # type: ignore[misc] # xdist's classes are untyped
    """Keeps `TOGETHER` what is to stay so, and never has all workers wait at once."""

    def _split_scope(self, nodeid: str) -> str:
        whole = next((path for path in TOGETHER if nodeid.startswith(path)), None)
        return whole or (nodeid if nodeid.startswith(APART) else nodeid.partition("::")[0])

    def _assign_work_unit(self, node: WorkerController) -> None:
        if self._waits(node) or sum(map(self._waits, self.nodes)) >= len(self.nodes) - 1 > 0:
            busy = next((scope for scope in self.workqueue if scope not in WAITING), None)
            if busy is not None:
                self.workqueue.move_to_end(busy, last=False)
        super()._assign_work_unit(node)

    def _waits(self, node: WorkerController) -> bool:
        """Whether it has a test of those left that mostly wait."""
        given = self.assigned_work[node]
        return any(scope in given and not all(given[scope].values()) for scope in WAITING)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False  # `pytest_collection_modifyitems` has ordered them
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays, and need not be looked through whenever garbage is collected."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


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


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The template, built once for all the stacks of a run."""
    from tests.harness.deployed import build_once  # noqa: PLC0415 # few runs deploy anything

    own = tmp_path_factory.getbasetemp()
    return build_once((own if worker_id == "master" else own.parent) / "build")


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
