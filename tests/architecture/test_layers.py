from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.architecture.source import FUNCTIONS, PACKAGE, Source, sources

STANDARD = frozenset(sys.stdlib_module_names)
# Of each layer: which layers and which third parties it may import. Whoever touches the world is below the line.
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "__init__": (set(), set()),
    "core": ({"core"}, set()),
    "contracts": ({"core", "contracts"}, {"pydantic", "pydantic_core"}),
    # Kling signs its credential; the moment is an argument.
    "providers": ({"core", "contracts", "providers"}, {"jwt"}),
    "ports": ({"core", "contracts", "providers"}, set()),
    "lease_ports": ({"core"}, set()),
    "job_ports": ({"core", "contracts", "providers", "ports"}, set()),
    "health_ports": ({"core", "contracts"}, set()),
    "services": (
        {"core", "contracts", "providers", "ports", "job_ports", "lease_ports", "health_ports", "services"},
        {"pydantic", "pydantic_core"},
    ),
    # ------------------------------------------------------------------------------------------------------------
    "settings": (set(), {"pydantic"}),
    "observability": (set(), {"aws_lambda_powertools"}),
    "adapters": (
        {"core", "contracts", "providers", "ports", "job_ports", "lease_ports", "health_ports", "adapters"},
        {"boto3", "botocore", "requests", "urllib3", "aws_lambda_powertools", "pydantic", "nacl"},
    ),
    "streams": ({"adapters", "contracts"}, {"aws_lambda_powertools"}),
    "metric_stream": ({"adapters", "core"}, set()),
    "api": ({"contracts", "core", "services", "api"}, {"aws_lambda_powertools", "pydantic"}),
    "telemetry_stream": ({"adapters", "contracts", "core"}, set()),
    "bootstrap": (
        {"core", "contracts", "providers", "ports", "job_ports", "services", "adapters", "settings", "bootstrap_keys"},
        set(),
    ),
    "bootstrap_webhook": ({"providers", "services", "adapters", "settings"}, set()),
    "bootstrap_keys": ({"providers", "ports", "adapters", "settings"}, set()),
    "bootstrap_announce": ({"services", "adapters", "settings"}, set()),
    "bootstrap_aggregate": ({"providers", "services", "adapters", "settings"}, set()),
    "bootstrap_alerts": ({"providers", "services", "adapters", "settings"}, set()),
    "bootstrap_api": ({"providers", "services", "adapters", "settings"}, set()),
    "bootstrap_authorize": ({"services", "adapters", "settings"}, set()),
    "bootstrap_probes": (
        {"providers", "services", "adapters", "settings", "bootstrap_aggregate", "bootstrap_keys"},
        set(),
    ),
}
PURE = ("core", "contracts", "providers", "ports", "job_ports", "lease_ports", "health_ports", "services")
# Modules of the standard library by which a program reaches beyond itself.
WORLDLY = {"os", "socket", "ssl", "http", "subprocess", "multiprocessing", "select", "signal", "shutil", "time"}
HANDLER_LAYERS = {
    *(layer for layer in LAYERS if layer.startswith("bootstrap")),
    *("contracts", "core", "metric_stream", "observability"),
    *("ports", "services", "settings", "streams", "telemetry_stream", "api"),
}
HANDLER_LINES = 90

OF_THE_PACKAGE = sources(PACKAGE)
HANDLERS = sources(FUNCTIONS)
of_each_file = pytest.mark.parametrize("source", OF_THE_PACKAGE, ids=lambda source: source.name)
of_each_handler = pytest.mark.parametrize("source", HANDLERS, ids=lambda source: source.name)


def foreign(source: Source, layers: set[str], third_parties: set[str]) -> Iterator[str]:
    """What it imports beyond these and the standard library."""
    for name in source.imports():
        top, _, rest = name.partition(".")
        allowed = rest.partition(".")[0] in layers if top == "mediarelay" else top in STANDARD | third_parties
        if not allowed:
            yield name


def test_every_part_of_the_package_has_its_rule() -> None:
    assert {source.layer for source in OF_THE_PACKAGE} <= set(LAYERS)
    assert len(OF_THE_PACKAGE) > 40


@of_each_file
def test_a_layer_imports_only_what_lies_below_it(source: Source) -> None:
    assert list(foreign(source, *LAYERS[source.layer])) == []


@pytest.mark.parametrize("source", [s for s in OF_THE_PACKAGE if s.layer in PURE], ids=lambda source: source.name)
def test_only_adapters_and_wiring_touch_the_world(source: Source) -> None:
    assert {name.partition(".")[0] for name in source.imports()} & WORLDLY == set()
    assert "urllib.request" not in {name[:14] for name in source.imports()}


@pytest.mark.parametrize("source", [s for s in OF_THE_PACKAGE if s.layer == "core"], ids=lambda source: source.name)
def test_the_core_has_no_clock_no_dice_and_no_voice(source: Source) -> None:
    imported = set(source.imports())
    assert {name.partition(".")[0] for name in imported} & {"time", "logging", "secrets", "uuid"} == set()
    assert {name for name in imported if name.startswith("random")} <= {"random.Random"}
    assert set(source.attributes()) & {"utcnow", "today", "fromtimestamp"} == set()
    assert "datetime.now" not in source.text
    assert "Random()" not in source.text


@pytest.mark.parametrize("source", [*OF_THE_PACKAGE, *HANDLERS], ids=lambda source: source.name)
def test_only_the_settings_read_the_environment(source: Source) -> None:
    if source.name == "shared/mediarelay/settings.py":
        assert "environ" in set(source.attributes())
    else:
        assert set(source.attributes()) & {"environ", "environb", "getenv", "putenv"} == set()


@of_each_handler
def test_a_handler_is_thin(source: Source) -> None:
    assert source.lines <= HANDLER_LINES
    assert list(foreign(source, HANDLER_LAYERS, {"aws_lambda_powertools"})) == []


def test_a_function_is_one_file() -> None:
    found = {path.relative_to(FUNCTIONS).as_posix() for path in FUNCTIONS.rglob("*") if path.is_file()}
    files = {name for name in found if "__pycache__" not in name}
    assert files == {f"{path.name}/app.py" for path in FUNCTIONS.iterdir() if path.is_dir()}
    assert {"dispatch_request/app.py", "announce_result/app.py"} <= files
