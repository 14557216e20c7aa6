"""Both stores of key verdicts keep the same promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mediarelay.keys.dynamodb import DynamoKeyStates
from mediarelay.keys.ports import KeyStates
from mediarelay.keys.states import KeyStatus, KeyVerdict
from tests.builders.keys import COOLING
from tests.doubles.clock import EPOCH
from tests.doubles.keys import MemoryKeyStates
from tests.harness.local_aws import TELEMETRY, LocalAws

REJECTED = replace(COOLING, status=KeyStatus.REJECTED, until=None, provider=None, spreads=False)


@pytest.fixture(params=["memory", "dynamodb"])
def states(request: pytest.FixtureRequest) -> KeyStates:
    if request.param == "memory":
        return MemoryKeyStates()
    return DynamoKeyStates(request.getfixturevalue("aws").dynamodb, TELEMETRY)


@pytest.mark.parametrize("verdict", [COOLING, REJECTED, replace(COOLING, status=KeyStatus.ACTIVE, until=None)])
def test_a_verdict_round_trips(states: KeyStates, verdict: KeyVerdict) -> None:
    states.save(verdict)
    assert list(states.load("openai")) == [verdict]


def test_the_newest_observation_stands(states: KeyStates) -> None:
    newer = replace(COOLING, observed_at=EPOCH + 1, until=EPOCH + 40, strikes=2)
    states.save(COOLING)
    states.save(newer)
    assert list(states.load("openai")) == [newer]


def test_an_older_observation_that_arrives_late_does_not_overwrite(states: KeyStates) -> None:
    states.save(COOLING)
    states.save(replace(COOLING, observed_at=EPOCH, until=EPOCH + 90))
    assert list(states.load("openai")) == [COOLING]


def test_of_two_observations_of_one_moment_the_first_stands(states: KeyStates) -> None:
    states.save(COOLING)
    states.save(replace(COOLING, status=KeyStatus.ACTIVE, until=None))
    assert list(states.load("openai")) == [COOLING]


def test_a_cooling_seen_again_until_the_same_moment_is_the_newer_one(states: KeyStates) -> None:
    again = replace(COOLING, observed_at=COOLING.observed_at + 1, strikes=3)
    states.save(COOLING)
    states.save(again)
    assert list(states.load("openai")) == [again]


def test_a_shorter_cooling_seen_later_lets_no_key_out_early(states: KeyStates) -> None:
    states.save(COOLING)
    states.save(replace(COOLING, observed_at=EPOCH + 1, until=EPOCH + 5))
    assert list(states.load("openai")) == [COOLING]


def test_another_status_seen_later_replaces_a_cooling_whatever_its_end(states: KeyStates) -> None:
    active = replace(COOLING, status=KeyStatus.ACTIVE, until=None, observed_at=EPOCH + 1)
    states.save(COOLING)
    states.save(active)
    assert list(states.load("openai")) == [active]


def test_a_shorter_cooling_replaces_what_was_no_cooling(states: KeyStates) -> None:
    exhausted = replace(COOLING, status=KeyStatus.EXHAUSTED, until=EPOCH + 3600)
    cooling = replace(COOLING, observed_at=EPOCH + 1, until=EPOCH + 5)
    states.save(exhausted)
    states.save(cooling)
    assert list(states.load("openai")) == [cooling]


def test_scopes_are_kept_apart(states: KeyStates) -> None:
    verdicts = [
        replace(COOLING, spreads=spreads, provider=provider) for spreads in (True, False) for provider in (None, "p")
    ]
    for verdict in verdicts:
        states.save(verdict)
    assert sorted(states.load("openai"), key=str) == sorted(verdicts, key=str)


def test_vendors_are_kept_apart(states: KeyStates) -> None:
    states.save(COOLING)
    assert list(states.load("open")) == []


class SmallPages:
    """A client that answers queries three items at a time, as a large table would by the megabyte."""

    def __init__(self, client: object) -> None:
        self._client = client

    def query(self, **fields: object) -> object:
        return self._client.query(**{**fields, "Limit": 3})  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)


@pytest.fixture
def paged(aws: LocalAws) -> DynamoKeyStates:
    return DynamoKeyStates(SmallPages(aws.dynamodb), TELEMETRY)


def test_every_page_is_read(paged: DynamoKeyStates) -> None:
    for number in range(7):
        paged.save(replace(REJECTED, key_id=f"{number:012d}"))
    assert len(paged.load("openai")) == 7


def test_verdicts_are_swept_only_after_they_ended(aws: LocalAws) -> None:
    DynamoKeyStates(aws.dynamodb, TELEMETRY).save(COOLING)
    (item,) = aws.items(TELEMETRY)
    assert int(item["ttl"]["N"]) > EPOCH + 24 * 3600
