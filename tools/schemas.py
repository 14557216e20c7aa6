"""JSON Schemas of the contracts, and docs/asyncapi.yaml over them: `python -m tools.schemas write|check`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from mediarelay.alerts.contract import Alert
from mediarelay.announce.contract import ResultEvent
from mediarelay.api.overview.contract import Overview
from mediarelay.health.circuit.record import Circuit
from mediarelay.health.contract import HealthRecord
from mediarelay.health.incident import Incident, Notice
from mediarelay.job_records.contract import JobRecord
from mediarelay.metrics.contract import AttemptMetric
from mediarelay.metrics.tally import LastError
from mediarelay.providers.openai.parsing import SERVERS
from mediarelay.request.model import MEDIA_REQUEST
from mediarelay.voices.parsing import OWN_VOICES
from tools import asyncapi
from tools.attribute_docs import described
from tools.simulation.scenario import Scenario

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "schemas"
SUFFIX: Final = ".schema.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MEND: Final = "run `python -m tools.schemas write` (or `make fmt`) and commit docs/schemas"
# Dataclasses of the core that contracts are made of; their docstrings describe their fields.
FROM_THE_CORE: Final = (Circuit, Incident, Notice, LastError)


def _media_request() -> Mapping[str, Any]:
    return MEDIA_REQUEST.json_schema() | {
        "title": "Media request",
        "description": "What a publisher puts on the request queue, raw or inside an SNS envelope; at most 128 KiB.",
    }


def _openai_servers() -> Mapping[str, Any]:
    return SERVERS.json_schema() | {
        "title": "Servers of OpenAI's shape",
        "description": "What a deployment writes into OpenAiServers; at most 16 servers.",
    }


def _voices() -> Mapping[str, Any]:
    return OWN_VOICES.json_schema() | {
        "title": "Voices of an operator",
        "description": "What the field VOICES of the keys' secret holds: voices by the name that requests use.",
    }


def _record(model: type[BaseModel], title: str) -> Callable[[], Mapping[str, Any]]:
    """As a reader finds it: fields with a default may be absent."""
    return lambda: {**described(model.model_json_schema(), FROM_THE_CORE), "title": title}


def _event(model: type[BaseModel], title: str) -> Callable[[], Mapping[str, Any]]:
    """As it is sent: every field is there."""
    return lambda: {**described(model.model_json_schema(mode="serialization"), FROM_THE_CORE), "title": title}


SCHEMAS: Final[Mapping[str, Callable[[], Mapping[str, Any]]]] = {
    "media-request": _media_request,
    "result-event": _event(ResultEvent, "Result event"),
    "alert": _event(Alert, "Alert"),
    "attempt-metric": _record(AttemptMetric, "Attempt metric"),
    "job-record": _record(JobRecord, "Job record"),
    "openai-servers": _openai_servers,
    "overview": _event(Overview, "Overview"),
    "scenario": _record(Scenario, "Scenario of the simulation"),
    "voices": _voices,
    "health-record": _record(HealthRecord, "Health record"),
}


def documents() -> Mapping[str, str]:
    """The text of every schema, by file name."""
    return {f"{name}{SUFFIX}": _text(f"{name}{SUFFIX}", make()) for name, make in SCHEMAS.items()}


def write(folder: Path) -> None:
    """Make the folder hold exactly the schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = documents()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in _written(folder):
        if path.name not in wanted:
            path.unlink()


def stale(folder: Path) -> Sequence[str]:
    """What is wrong with the folder, one sentence per file."""
    wanted, found = documents(), {path.name: path.read_text(encoding="utf-8") for path in _written(folder)}
    return [
        *(f"{name} is missing" for name in wanted if name not in found),
        *(f"{name} differs from the contracts" for name in wanted if name in found and found[name] != wanted[name]),
        *(f"{name} belongs to no contract" for name in found if name not in wanted),
    ]


def main(arguments: Sequence[str], folder: Path = FOLDER) -> int:
    """Exit status: 0 well, 1 stale, 2 wrong usage."""
    match arguments:
        case ["write"]:
            write(folder)
            asyncapi.PAGE.write_text(asyncapi.text(), encoding="utf-8")
            return 0
        case ["check"]:
            return _check(folder)
        case _:
            print("usage: python -m tools.schemas write|check", file=sys.stderr)
            return 2


def _check(folder: Path) -> int:
    complaints = [*stale(folder), *asyncapi.faults()]
    for complaint in complaints:
        print(f"docs/schemas: {complaint}", file=sys.stderr)
    if complaints:
        print(f"to mend it, {MEND}", file=sys.stderr)
    return 1 if complaints else 0


def _written(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def _text(name: str, schema: Mapping[str, Any]) -> str:
    first = {"$schema": DIALECT, "$id": name, "title": schema["title"], "description": schema["description"]}
    return json.dumps({**first, **schema}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
