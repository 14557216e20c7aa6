"""The rules of the house: which feature may import which, and what a module's stem says that it may touch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.architecture.source import FUNCTIONS, PACKAGE, PURE, Source, planted, sources

STANDARD = frozenset(sys.stdlib_module_names)
# Each may import those before it.
FEATURES = (
    *("vocabulary", "http", "aws", "audio", "request", "options", "providers", "voices", "limits", "keys", "metrics"),
    *("health", "job_records", "results", "reuse", "routing", "calendar", "serving", "long_jobs", "long_speech"),
    *("budgets", "callbacks", "dispatch", "announce", "usage", "alerts", "events", "api", "bootstrap"),
)
# What a module's stem says about third parties; the rest uses the standard library alone.
AWS = frozenset({"boto3", "botocore", "aws_lambda_powertools"})
REQUESTS = frozenset({"requests", "urllib3"})
PYDANTIC = frozenset({"pydantic", "pydantic_core"})
BY_STEM = {
    **dict.fromkeys(("sqs", "sns", "ssm", "eventbridge", "step_functions", "secrets_manager", "emf"), AWS),
    **dict.fromkeys(("clients", "stores"), AWS),
    **dict.fromkeys(("contract", "model", "parsing"), PYDANTIC),
    "client": REQUESTS,
    **dict.fromkeys(("connections", "guarded_connections"), REQUESTS),
    "stream": {"aws_lambda_powertools"},
    "ed25519": {"nacl"},
}
BY_PREFIX = {"dynamodb": AWS, "s3": AWS}
# The environment of a function is a model beside its wiring.
BY_FEATURE = {"bootstrap": {"pydantic"}}
# One module each, with the reason.
BESIDES = {
    "audio/transcode": {"av"},  # FFmpeg, imported only where a format has to be made
    "api/routes": {"aws_lambda_powertools", "pydantic"},  # Powertools routes HTTP requests
    "api/catalogue/routes": {"aws_lambda_powertools", "pydantic"},  # as above
    "api/dead_letters/routes": {"aws_lambda_powertools"},  # as above
    "api/orders/routes": {"aws_lambda_powertools"},  # as above
    "api/operating/routes": {"aws_lambda_powertools", "pydantic"},  # as above
    "api/overview/routes": {"aws_lambda_powertools"},  # as above
    "api/listing/routes": {"aws_lambda_powertools", "pydantic"},  # as above
    "api/publishing/routes": {"aws_lambda_powertools", "pydantic"},  # as above
    "api/telling/routes": {"aws_lambda_powertools"},  # as above
    "api/problem": {"pydantic"},  # a contract that every route has
    "api/secrets_manager": {"pydantic"},  # tokens are read by their contract
    "api/authorizing": {"pydantic"},  # a token is a SecretStr
    "api/tokens": {"pydantic"},  # a contract of its own: authorize_request imports no other
    "bootstrap/logging": {"aws_lambda_powertools"},
    "job_records/job_spec": {"pydantic_core"},  # the fingerprint is over canonical JSON
    "keys/pools": {"pydantic"},  # a key is a SecretStr
    "long_jobs/execution_state": {"pydantic", "pydantic_core"},  # the contract between the functions of an execution
    "long_speech/speech_state": {"pydantic", "pydantic_core"},  # the contract between the functions of an execution
    "long_speech/segmenting": {"sentencex"},  # knows where sentences end; imported with the first long text
    "request/bounds": {"pydantic_core"},
    "providers/credentials": {"botocore"},  # it signs for AWS's own services; the moment is an argument
    "providers/kling/video": {"jwt"},  # it signs its credential; the moment is an argument
}
# Modules of the standard library by which a program reaches beyond itself.
WORLDLY = {"os", "socket", "ssl", "http", "subprocess", "multiprocessing", "select", "signal", "shutil", "time"}
MAY_TOUCH_THE_WORLD = {"http", "aws", "bootstrap"}
HANDLER_LINES = 90

OF_THE_PACKAGE = sources(PACKAGE)
HANDLERS = sources(FUNCTIONS)
MODULES = {source.module: source for source in OF_THE_PACKAGE}
# A test for each folder: one for each file would be a thousand and more.
of_each_folder = pytest.mark.parametrize("folder", sorted({source.feature or "" for source in OF_THE_PACKAGE}))
of_each_handler = pytest.mark.parametrize("source", HANDLERS, ids=lambda source: source.name)
of_each_pure_folder = pytest.mark.parametrize("folder", sorted({module.partition("/")[0] for module in PURE}))


def offenders(folder: str, offences: Callable[[Source], Iterable[str]]) -> dict[str, list[str]]:
    """The files of a folder that break a rule, each with how."""
    files = (source for source in OF_THE_PACKAGE if (source.feature or "") == folder)
    return {source.name: found for source in files if (found := list(offences(source)))}


def imports_from_above(source: Source) -> Iterator[str]:
    """What a module imports of a feature that stands behind its own."""
    if source.feature is None:
        return
    for name in source.imports():
        top, _, rest = name.partition(".")
        if top == "mediarelay" and rest.partition(".")[0] in FEATURES[FEATURES.index(source.feature) + 1 :]:
            yield name


def third_parties(source: Source) -> Iterator[str]:
    """What a module imports beyond the standard library and what its stem allows."""
    stem = source.module.rpartition("/")[2]
    prefix = next((prefix for prefix in BY_PREFIX if stem.startswith(prefix)), None)
    allowed = BY_STEM.get(stem, set()) | BESIDES.get(source.module, set()) | BY_FEATURE.get(source.feature, set())
    if prefix is not None:
        allowed |= BY_PREFIX[prefix]
    for name in source.imports():
        top = name.partition(".")[0]
        if top != "mediarelay" and top not in STANDARD | allowed:
            yield name


def impurities(source: Source) -> set[str]:
    """Clocks, dice and voices of a module that is to have none."""
    imported = set(source.imports())
    found = {name.partition(".")[0] for name in imported} & {"time", "logging", "secrets", "uuid"}
    found |= {name for name in imported if name.startswith("random")} - {"random.Random"}
    found |= set(source.attributes()) & {"utcnow", "today", "fromtimestamp"}
    return found | {text for text in ("datetime.now", "Random()") if text in source.text}


def worldly(source: Source) -> set[str]:
    """Ways out of the process that a module uses."""
    imported = set(source.imports())
    return {name.partition(".")[0] for name in imported} & WORLDLY | {
        name for name in imported if name.startswith("urllib.request")
    }


def test_every_folder_of_the_package_is_a_feature() -> None:
    assert {source.feature for source in OF_THE_PACKAGE} - {None} <= set(FEATURES)
    assert {source.name for source in OF_THE_PACKAGE if source.feature is None} == {"shared/mediarelay/__init__.py"}


@of_each_folder
def test_a_feature_imports_only_those_before_it(folder: str) -> None:
    assert offenders(folder, imports_from_above) == {}


def test_an_import_from_a_later_feature_is_found() -> None:
    offence = planted("limits/gcra.py", "from mediarelay.keys.pool import KeyPool\n")
    assert list(imports_from_above(offence)) == ["mediarelay.keys.pool.KeyPool"]


@of_each_folder
def test_the_stem_says_which_third_parties_a_module_uses(folder: str) -> None:
    assert offenders(folder, third_parties) == {}


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("keys/pool.py", "import boto3\n"),
        ("request/model.py", "import requests\n"),
        ("limits/dynamodb.py", "import requests\n"),
    ],
)
def test_a_third_party_out_of_place_is_found(module: str, text: str) -> None:
    assert list(third_parties(planted(module, text)))


@pytest.mark.parametrize("module", BESIDES)
def test_an_exception_for_a_module_is_still_needed(module: str) -> None:
    assert {name.partition(".")[0] for name in MODULES[module].imports()} & BESIDES[module]


@of_each_pure_folder
def test_a_pure_module_has_no_clock_no_dice_and_no_voice(folder: str) -> None:
    pure = [module for module in PURE if module.partition("/")[0] == folder]
    assert {module: found for module in pure if (found := impurities(MODULES[module]))} == {}


@pytest.mark.parametrize(
    "text",
    ["import time\n", "import logging\n", "from random import random\n", "x = datetime.now()\n", "rng = Random()\n"],
)
def test_an_impurity_is_found(text: str) -> None:
    assert impurities(planted("limits/gcra.py", text))


@of_each_folder
def test_only_adapters_and_wiring_touch_the_world(folder: str) -> None:
    if folder not in MAY_TOUCH_THE_WORLD:
        assert offenders(folder, lambda source: () if source.module.endswith("/routes") else worldly(source)) == {}


def test_a_way_into_the_world_is_found() -> None:
    assert worldly(planted("serving/serve.py", "import socket\n"))


def test_only_the_settings_read_the_environment() -> None:
    ways = {"environ", "environb", "getenv", "putenv"}
    reading = {s.name: found for s in (*OF_THE_PACKAGE, *HANDLERS) if (found := ways & set(s.attributes()))}
    assert reading == {"shared/mediarelay/bootstrap/settings.py": {"environ"}}


@of_each_handler
def test_a_handler_is_thin(source: Source) -> None:
    assert source.lines <= HANDLER_LINES
    foreign = {name.partition(".")[0] for name in source.imports()} - STANDARD
    assert foreign <= {"mediarelay", "aws_lambda_powertools"}


def test_a_function_is_one_file() -> None:
    found = {path.relative_to(FUNCTIONS).as_posix() for path in FUNCTIONS.rglob("*") if path.is_file()}
    files = {name for name in found if "__pycache__" not in name}
    assert files == {f"{path.name}/app.py" for path in FUNCTIONS.iterdir() if path.is_dir()}
    assert {"dispatch_request/app.py", "announce_result/app.py"} <= files
