import itertools
from collections.abc import Iterator

import pytest

from tools.localaws.ministack_process import MiniStackProcess
from tools.localaws.tests.server import Local, Server, seed_expiring_item, start_server

QUICK = {
    "MEDIARELAY_LOCAL_METRIC_SECONDS": "0.3",
    "MEDIARELAY_LOCAL_ALARM_SECONDS": "0.3",
    "MEDIARELAY_LOCAL_TTL_SECONDS": "0.5",
}

_names = itertools.count()


@pytest.fixture(scope="session")
def stock(tmp_path_factory) -> Iterator[Server]:
    settings = {"MEDIARELAY_LOCAL_FIXES": "none"}
    with MiniStackProcess.start(tmp_path_factory.mktemp("stock"), settings=settings) as process:
        server = start_server("stock", process, tmp_path_factory.mktemp("stock-logs"))
        # Stock sweeps expired items only once a minute: given here, the item is gone when the last test asks.
        seed_expiring_item(server)
        yield server


@pytest.fixture(scope="session")
def fixed(tmp_path_factory) -> Iterator[Server]:
    with MiniStackProcess.start(tmp_path_factory.mktemp("fixed"), settings=QUICK) as process:
        yield start_server("fixed", process, tmp_path_factory.mktemp("fixed-logs"))


@pytest.fixture(params=["stock", "fixed"])
def local(request) -> Iterator[Local]:
    """The local AWS without and with the fixes; a test says what each does, so that an upstream repair shows."""
    with Local(request.getfixturevalue(request.param), f"t{next(_names)}") as local:
        yield local


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The sort is stable: only the test that needs the stock sweeper's minute to have passed moves, to the end.
    items.sort(key=lambda item: "test_ttl.py" in item.nodeid)
