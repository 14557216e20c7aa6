from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.architecture.source import FUNCTIONS, ROOT, sources

HANDLERS = [f"functions.{source.path.parent.name}.app" for source in sources(FUNCTIONS)]
# What must not be paid for at a cold start: development's own, the vendors' SDKs, and the slow part of Powertools.
UNWANTED = {
    *("openai", "elevenlabs", "google", "fal_client", "httpx", "starlette", "uvicorn", "aiohttp"),
    *("moto", "pytest", "hypothesis", "rich", "typer", "jsonschema", "tools", "tests"),
    *("aws_lambda_powertools.utilities.parser", "aws_lambda_powertools.utilities.validation"),
    *("aws_lambda_powertools.event_handler", "asyncpg", "numpy", "sentencex", "cryptography", "nacl", "av"),
}
NEEDED = {
    # Routing HTTP requests is what it is for.
    "functions.serve_api.app": {"aws_lambda_powertools.event_handler"},
    # It checks signatures.
    "functions.receive_webhook.app": {"nacl"},
}
# Who calls no provider does not pay for what calls them.
CALLING = {"requests", "jwt", "mediarelay.serving.serve", "mediarelay.http.connections"}
# A webhook asks fal for the keys that its signatures are checked with.
CALLERS = {
    *(
        "dispatch_request",
        "draw_picture",
        "submit_job",
        "poll_job",
        "settle_job",
        "probe_providers",
        "speak_part",
        "steer_speech",
    ),
    "receive_webhook",
    "deliver_callback",
}
# What each start may define of ours: modules, dataclasses, pydantic's models and enumerations. Each costs some 1.2
# million instructions, and a minimal handler takes 1,400 to 2,200 million. The bounds are a tenth above what there was
# when starts took 1.04 to 1.12 of the minimal handler's instructions; the bar is 1.25 of its CPU time.
DEFINITIONS = {
    "aggregate_health": 105,
    "alert_operators": 130,
    "announce_result": 60,
    "authorize_request": 25,
    "count_usage": 65,
    "deliver_callback": 80,
    "forward_events": 70,
    "dispatch_request": 330,
    "draw_picture": 330,
    "poll_job": 320,
    "probe_providers": 200,
    "receive_webhook": 45,
    "serve_api": 70,
    "answer_openai": 112,
    "settle_job": 320,
    "wait_for_job": 32,
    "speak_part": 325,
    "steer_speech": 355,
    "submit_job": 320,
}
TOO_MUCH = """
{found} definitions of ours at the start of {function}, more than {bound}. Import what only an asked-for feature needs
where it is used, and what only annotations need under TYPE_CHECKING; `python -X importtime` shows who imports what.
Where each request needs it, raise the bound if `make bench BENCH=cold-start` holds.
"""
# Small, and read by each request of their function.
BUILT = {"mediarelay.api.contract.OverrideOrder", "mediarelay.api.tokens.Token"}
PROGRAM = """
import importlib, sys
sys.path[:0] = ["shared", "."]
assert callable(importlib.import_module(sys.argv[1]).handler)
import enum, json
ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "mediarelay"}
classes = {
    each for name, module in ours.items() for each in vars(module).values()
    if isinstance(each, type) and each.__module__ == name
}
models = {each for each in classes if hasattr(each, "__pydantic_complete__")}
others = {each for each in classes if "__dataclass_fields__" in vars(each) or issubclass(each, enum.Enum)}
print(json.dumps({
    "modules": sorted(sys.modules),
    "definitions": len(ours) + len(models | others),
    "built": [f"{each.__module__}.{each.__qualname__}" for each in models if each.__pydantic_complete__],
}))
"""


@dataclass(frozen=True)
class Start:
    """What a process with an empty environment has that has imported one handler and done nothing else."""

    handler: str
    modules: frozenset[str]
    definitions: int
    built: frozenset[str]

    @property
    def function(self) -> str:
        """The function's folder."""
        return self.handler.split(".")[1]


@pytest.fixture(scope="module", params=HANDLERS)
def start(request: pytest.FixtureRequest) -> Start:
    """The start of one function."""
    command = [sys.executable, "-c", PROGRAM, request.param]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    return Start(request.param, frozenset(told["modules"]), told["definitions"], frozenset(told["built"]))


def test_a_handler_can_be_imported_without_any_environment(start: Start) -> None:
    assert any(name.startswith("mediarelay.bootstrap") for name in start.modules)


def test_a_handler_imports_nothing_that_it_does_not_need(start: Start) -> None:
    assert start.modules & (UNWANTED - NEEDED.get(start.handler, set())) == set()


def test_only_functions_that_call_providers_import_what_calls_them(start: Start) -> None:
    assert bool(start.modules & CALLING) is (start.function in CALLERS)


def test_a_start_defines_little(start: Start) -> None:
    bound = DEFINITIONS[start.function]
    told = TOO_MUCH.format(found=start.definitions, function=start.function, bound=bound)
    assert start.definitions <= bound, told


def test_a_bound_is_lowered_with_what_it_bounds(start: Start) -> None:
    assert start.definitions >= DEFINITIONS[start.function] * 0.75, "lower the bound, so that it goes on holding"


def test_models_are_built_when_they_are_first_used(start: Start) -> None:
    assert start.built <= BUILT, "give them defer_build=True; a start builds by itself what each request needs"
