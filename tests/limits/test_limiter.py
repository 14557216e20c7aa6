"""A dispatcher that asks the fleet before it calls."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import pytest

from mediarelay.http.messages import HttpReply
from mediarelay.job_records.contract import Output
from mediarelay.keys.parsing import keys_from
from mediarelay.keys.pool import limit_of
from mediarelay.keys.pools import TakenKey
from mediarelay.limits.gcra import LimitState
from mediarelay.limits.limiter import HOLD_SECONDS
from mediarelay.limits.planning import Reservation, read, written
from mediarelay.providers.error_table import classify
from mediarelay.providers.fal.errors import FAL_ERRORS, fal_signals
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.keys import fake_key, keys
from tests.builders.requests import EPOCH_MS, message, tts
from tests.doubles.keys import FixedKeys
from tests.doubles.leases import MemoryLimits
from tests.doubles.media import MemoryMedia
from tests.doubles.scripted_http import document, openai_error, throttled
from tests.doubles.trouble import Flaky
from tests.harness.bench import Bench
from tests.harness.worker import key_pools, worker

OPENAI: dict[str, Any] = {"providers": ["openai-tts"]}
PROMISE = Reservation("openai-tts", "acme", "0123456789ab", 1785600000.125, 3, 0.6)


def declared(count: int, **fields: Any) -> FixedKeys:
    entries = [{"key": fake_key("openai", number), **fields} for number in range(count)]
    return FixedKeys(keys_from({"OPENAI_API_KEYS": entries}))


@pytest.fixture
def leases(bench: Bench) -> MemoryLimits:
    bench.world.leases = leases = MemoryLimits()
    return leases


def serve_batch(bench: Bench, count: int) -> None:
    service = worker(bench.world)
    service.begin_batch(count)
    with ThreadPoolExecutor(count) as threads:
        for number in range(count):
            threads.submit(
                service.handle, message(tts(**OPENAI), message_id=f"m-{number}"), worker_ends_at=bench.world.ends_at
            )


def test_keys_that_nothing_limits_cost_no_write(bench: Bench, leases: MemoryLimits) -> None:
    assert bench.served(tts(**OPENAI)).status is JobStatus.SUCCEEDED
    assert leases.writes == 0


def test_a_batch_of_ten_leases_each_key_once(bench: Bench, leases: MemoryLimits) -> None:
    bench.world.source = declared(2, rpm=600, burst=20)
    serve_batch(bench, 10)
    assert len(bench.http.calls) == 10
    assert leases.writes <= 2


@pytest.mark.usefixtures("leases")
def test_workers_share_a_limit(bench: Bench) -> None:
    bench.world.source = declared(1, rpm=6, burst=3)
    for number in range(6):
        bench.handle(tts(**OPENAI), message_id=f"m-{number}")
    assert (len(bench.http.calls), len(bench.queue.delayed)) == (3, 3)


def test_what_must_wait_comes_back_to_a_slot_of_its_own(bench: Bench, leases: MemoryLimits) -> None:
    bench.world.source = declared(1, rpm=6, burst=1)
    bench.handle(tts(**OPENAI), message_id="first")
    bench.handle(tts(**OPENAI), message_id="second")
    bench.handle(tts(**OPENAI), message_id="third")
    delays = [each.delay_seconds for each in bench.queue.delayed]
    assert (8 <= delays[0] <= 10, 18 <= delays[1] <= 20) == (True, True)
    writes = leases.writes
    bench.clock.advance(delays[0])
    (copy,) = bench.queue.due()
    assert bench.served(copy).status is JobStatus.SUCCEEDED
    assert (leases.writes, bench.clock.now() - EPOCH_MS / 1000 >= 10.0) == (writes, True)
    assert bench.queue.dlq == []


def test_what_comes_back_too_late_takes_a_new_slot(bench: Bench, leases: MemoryLimits) -> None:
    bench.world.source = declared(1, rpm=6, burst=1)
    bench.handle(tts(**OPENAI), message_id="first")
    bench.handle(tts(**OPENAI), message_id="second")
    bench.clock.advance(60.0)
    writes = leases.writes
    (copy,) = bench.queue.due()
    assert bench.served(copy).status is JobStatus.SUCCEEDED
    assert leases.writes == writes + 1


@pytest.mark.usefixtures("leases")
def test_a_copy_that_is_deferred_for_another_reason_does_not_keep_its_slot(bench: Bench) -> None:
    bench.world.source = declared(1, rpm=6, burst=1)
    bench.handle(tts(**OPENAI), message_id="first")
    bench.handle(tts(**OPENAI), message_id="second")
    bench.clock.advance(10.0)
    (copy,) = bench.queue.due()
    bench.http.always("", throttled(30))
    bench.handle(copy)
    (again,) = bench.queue.delayed
    assert again.message.attributes["mediarelay_slot"] != copy.attributes["mediarelay_slot"]


def test_a_table_that_is_away_stops_nobody_and_is_counted(bench: Bench, leases: MemoryLimits) -> None:
    bench.world.source = declared(2, rpm=600)
    bench.world.leases = Flaky(Flaky(leases, "look"), "take")
    assert bench.served(tts(**OPENAI)).status is JobStatus.SUCCEEDED
    assert ("LeasesUnavailable", {"provider": "openai-tts"}) in bench.world.counters.counts


def test_a_refusal_without_a_wait_is_learned_from_and_costs_no_five_seconds(bench: Bench, leases: MemoryLimits) -> None:
    bench.world.source = FixedKeys(keys(openai=2))
    bench.http.always(fake_key("openai", 0), openai_error(429, "rate_limit_exceeded"))
    for number in range(4):
        assert bench.served(tts(**OPENAI), message_id=f"m-{number}").status is JobStatus.SUCCEEDED
    owner = keys(openai=1)["openai"][0].entry.account
    assert leases.look("openai-tts", [[owner]])[owner].pace is not None
    verdicts = bench.world.states.load("openai")
    assert all((verdict.until or 0.0) - verdict.observed_at < 2.5 for verdict in verdicts)


def test_a_limit_in_the_body_of_a_refusal_is_kept_by_every_worker(bench: Bench, leases: MemoryLimits) -> None:
    """Three requests a minute, as a project without billing gets: slower than any pace that is learned."""
    bench.world.source = FixedKeys(keys(gemini=1))
    quota = {"violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel", "quotaValue": "3"}]}
    error = {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED", "details": [quota, {"retryDelay": "20s"}]}
    bench.http.always("googleapis", document(429, {"error": error}))
    request = tts(providers=["gemini-tts"], input={"format": "wav"})
    bench.handle(request, message_id="first")
    for number in range(3):
        bench.handle(request, message_id=f"m-{number}")
    assert len(bench.http.calls) == 1
    (first, *others) = sorted(each.delay_seconds for each in bench.queue.delayed)
    assert first >= 20
    assert all(each >= 20 for each in others)
    owner = keys(gemini=1)["gemini"][0].entry.account
    pace = leases.look("gemini-tts", [[owner]])[owner].pace
    assert pace is not None
    assert pace.ceiling == 0.05


@pytest.mark.usefixtures("leases")
def test_a_benched_key_is_leased_by_no_worker(bench: Bench) -> None:
    bench.world.source = declared(2, rpm=600)
    bench.http.always(fake_key("openai", 0), openai_error(401, "invalid_api_key"))
    for number in range(6):
        bench.handle(tts(**OPENAI), message_id=f"m-{number}")
    assert sum(fake_key("openai", 0) in call.auth for call in bench.http.calls) <= 1


@pytest.mark.parametrize("text", [None, "", "none", "[1]", "{}", '["a","b","c","x",1,2]', "[" * 600])
def test_what_is_no_promise_is_none(text: str | None) -> None:
    assert read(text) is None


def test_a_promise_survives_the_trip() -> None:
    assert read(written(PROMISE)) == PROMISE


def test_of_several_declarations_of_an_account_the_lowest_holds() -> None:
    entries = [{"key": f"fake-{n}", "account": "acme", "rpm": rpm} for n, rpm in enumerate((120, 60))]
    loaded = keys_from({"OPENAI_API_KEYS": [*entries, {"key": "fake-9", "account": "acme", "concurrency": 4}]})
    limit = limit_of(tuple(key.entry for key in loaded["openai"]))
    assert limit is not None
    assert (limit.rate, limit.burst, limit.slots) == (pytest.approx(1.0, rel=0.03), 1, 4)


FULL = {
    "detail": "Reached concurrent requests limit of 3",
    "type": "concurrent_requests_limit",
    "data": {"limit": 3},
}


@pytest.mark.usefixtures("leases")
def test_the_slots_that_a_refusal_names_are_kept_and_no_rate_is_made_of_them(bench: Bench) -> None:
    bench.world.source = FixedKeys(keys_from({"FAL_KEYS": fake_key("fal", 0)}))
    pools = key_pools(bench.world)
    pools.refresh({"fal"})

    def taken(calls: int) -> list[TakenKey]:
        answers = [pools.take("fal", "fal-flux", frozenset()) for _ in range(calls)]
        return [answer for answer in answers if isinstance(answer, TakenKey)]

    under_way = taken(5)
    assert len(under_way) == 5  # of a limit nothing is known yet
    answer = HttpReply(429, {}, json.dumps(FULL).encode())
    for key in under_way[3:]:
        pools.failed(key, "fal-flux", classify(FAL_ERRORS, fal_signals(answer), answer))
    for key in under_way[:3]:
        pools.delivered(key, "fal-flux")
    for seconds in (1.0, HOLD_SECONDS):  # by then, whoever held a slot before has lost it
        bench.clock.advance(seconds)
        slots = [key.permit.slot[0] for key in taken(6) if key.permit and key.permit.slot]
        assert sorted(slots) == ["0", "1", "2"]
    assert bench.world.leases.look("fal-flux", [("", "~")])[under_way[0].entry.account].pace is None


@pytest.mark.parametrize("rpm", [600, 60])
def test_a_permit_for_a_key_that_rests_is_for_the_moment_at_which_it_returns(
    bench: Bench, leases: MemoryLimits, rpm: int
) -> None:
    """One for now could not be used: each trial would cost another."""
    bench.world.source = declared(1, rpm=rpm, burst=20)
    pools = key_pools(bench.world)
    pools.refresh({"openai"})
    first = pools.take("openai", "openai-tts", frozenset())
    assert isinstance(first, TakenKey)
    pools.failed(first, "openai-tts", Failure(Outcome.THROTTLED, "rate_limit", "no", wait_seconds=1.0))
    back_at = bench.clock.now() + 1.0
    again = pools.take("openai", "openai-tts", frozenset(), max_wait=2.0)
    assert isinstance(again, TakenKey)
    assert again.taken_at == bench.clock.now() == pytest.approx(back_at, abs=0.01)
    owner = first.entry.account
    assert leases.look("openai-tts", [[owner]])[owner].used == 2


def test_the_place_at_the_vendor_is_free_as_soon_as_its_answer_is_there_and_given_back_once(bench: Bench) -> None:
    returned, stored = threading.Event(), list[bool]()

    class Slots(MemoryLimits):
        def release(self, provider: str, owner: str, slots: Sequence[tuple[str, float]]) -> None:
            super().release(provider, owner, slots)
            returned.set()

    class Bucket(MemoryMedia):
        def put(self, output: Output, body: IO[bytes], facts: Mapping[str, str]) -> None:
            stored.append(returned.wait(10.0))
            super().put(output, body, facts)

    bench.world.leases, bench.world.media = Slots(), Bucket()
    bench.world.source = declared(1, concurrency=1)
    assert bench.served(tts(**OPENAI)).status is JobStatus.SUCCEEDED
    returned.clear()
    assert bench.served(tts(**OPENAI), message_id="another").status is JobStatus.SUCCEEDED
    assert stored == [True, True]
    assert bench.world.leases.writes == 4  # each call takes its slot and gives it back


def test_what_a_first_look_tells_of_the_fleets_clock_lets_nobody_wait(bench: Bench) -> None:
    class Behind(MemoryLimits):
        """Its clock is a second behind the worker's, which hears of that by its answer."""

        def look(self, provider: str, runs: Sequence[Sequence[str]]) -> Mapping[str, LimitState]:
            now = bench.clock.now()
            assert pools._limiter is not None
            pools._limiter._fleet.observe(math.floor(now) - 2.0, sent=now, received=now)
            return super().look(provider, runs)

    bench.world.leases, bench.world.source = Behind(), declared(1, rpm=600)
    pools = key_pools(bench.world)
    pools.refresh({"openai"})
    before = bench.clock.now()
    taken = pools.take("openai", "openai-tts", frozenset(), max_wait=1.25)
    assert isinstance(taken, TakenKey)
    assert (taken.taken_at, bench.clock.now()) == (before, before)
