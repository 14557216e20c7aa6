"""Today's code writes what the version before wrote: attribute by attribute, value by value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.compat import jobs, messages, telemetry
from tests.compat.files import FOLDER, NAMES, without_news, written_before
from tests.compat.recorder import Recorder
from tests.harness.local_aws import JOBS, TELEMETRY, local_aws

SCHEMAS: Final = sorted(path.name for path in (FOLDER / "schemas").iterdir())
# Words for people, which may be put better.
PROSE: Final = {"summary", "what_to_do", "Subject", "default", "email", "sms", "error_message"}


@pytest.fixture(scope="module")
def today() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch, local_aws() as aws:
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        of_jobs, of_telemetry = Recorder(aws, JOBS), Recorder(aws, TELEMETRY)
        jobs.write(of_jobs)
        telemetry.write(of_telemetry)
        yield json.loads(json.dumps(messages.everything(of_jobs, of_telemetry)))


def without_prose(value: Any) -> Any:
    """The same with JSON in texts decoded, so that the order of its fields is none, and words for people replaced."""
    match value:
        case dict():
            return {name: "…" if name in PROSE else without_prose(part) for name, part in value.items()}
        case list():
            return [without_prose(part) for part in value]
        case str() if value[:1] in {"{", "["}:
            return without_prose(json.loads(value))
        case _:
            return value


def kept(before: Any, after: Any) -> bool:
    """Whether a schema says all that it said; it may say more, but not ask for more."""
    if isinstance(before, dict) and isinstance(after, dict):
        same = before.get("required") == after.get("required")
        return same and all(name in after and kept(part, after[name]) for name, part in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return all(part in after for part in before)
    return bool(before == after)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_what_was_written(today: dict[str, Any], name: str) -> None:
    before, after = without_prose(written_before(name)), without_prose(today[name])
    if isinstance(before, list):  # one by one: pytest shows what differs
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            assert without_news(other, one) == one, f"{name}, entry {number}"
    else:
        assert without_news(after, before) == before


def test_everything_that_is_written_was_written_before(today: dict[str, Any]) -> None:
    assert set(today) == set(NAMES)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_keeps_what_it_says(name: str) -> None:
    now = FOLDER.parents[2] / "docs" / "schemas" / name
    before = (FOLDER / "schemas" / name).read_text("utf-8")
    assert kept(without_texts(json.loads(before)), without_texts(json.loads(now.read_text("utf-8"))))


def without_texts(schema: Any) -> Any:
    """A schema without the descriptions and titles that people read."""
    if isinstance(schema, dict):
        texts = {name for name in ("description", "title") if isinstance(schema.get(name), str)}
        return {name: without_texts(part) for name, part in schema.items() if name not in texts}
    return [without_texts(part) for part in schema] if isinstance(schema, list) else schema


@pytest.mark.parametrize(
    ("after", "same"),
    [
        ({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]}, True),
        ({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]}, False),
        ({"properties": {"a": {"type": "integer"}}, "required": ["a"]}, False),
        ({"properties": {}, "required": ["a"]}, False),
    ],
)
def test_a_schema_that_says_less_or_asks_for_more_is_found(after: dict[str, Any], *, same: bool) -> None:
    assert kept({"properties": {"a": {"type": "string"}}, "required": ["a"]}, after) is same
