from __future__ import annotations

import subprocess
import sys

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
    *("dispatch_request", "submit_job", "poll_job", "settle_job", "probe_providers", "speak_part", "steer_speech"),
    "receive_webhook",
}
PROGRAM = """
import importlib, sys
sys.path[:0] = ["shared", "."]
importlib.import_module(sys.argv[1])
print(*sorted(sys.modules), sep="\\n")
"""


@pytest.fixture(scope="module", params=HANDLERS)
def imported(request: pytest.FixtureRequest) -> tuple[str, set[str]]:
    """The modules of a process with an empty environment that has imported one handler and done nothing else."""
    command = [sys.executable, "-c", PROGRAM, request.param]
    done = subprocess.run(command, cwd=ROOT, env={}, capture_output=True, text=True, check=False, timeout=110)  # noqa: S603 # our own interpreter
    assert (done.returncode, done.stderr) == (0, "")
    return request.param, set(done.stdout.split())


def test_a_handler_can_be_imported_without_any_environment(imported: tuple[str, set[str]]) -> None:
    assert any(name.startswith("mediarelay.bootstrap") for name in imported[1])


def test_a_handler_imports_nothing_that_it_does_not_need(imported: tuple[str, set[str]]) -> None:
    handler, modules = imported
    assert modules & (UNWANTED - NEEDED.get(handler, set())) == set()


def test_only_functions_that_call_providers_import_what_calls_them(imported: tuple[str, set[str]]) -> None:
    handler, modules = imported
    assert bool(modules & CALLING) is (handler.split(".")[1] in CALLERS)
