"""Vendor options: their price is the same in what a request may cost, in budgets and in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import pytest

from mediarelay.bootstrap.calling import BudgetPorts
from mediarelay.http.messages import HttpRequest
from mediarelay.providers.catalogue import models
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.kinds import JobStatus
from tests.builders.keys import keys
from tests.builders.requests import image, message, tts, video
from tests.doubles.jobs import FixedPlan, MemoryBudgets
from tests.doubles.keys import FixedKeys
from tests.doubles.scripted_http import Answer, ScriptedHttp
from tests.doubles.speech_vendors import SpeechVendors
from tests.harness.bench import Bench as SpeechBench
from tests.harness.long_jobs.speeches import SpeechBench as LongBench
from tests.harness.long_jobs.workflow import Bench

WITH_SOUND: dict[str, Any] = {"providers": ["fal-kling"], "options": {"fal-kling": {"generate_audio": True}}}
SILENT_USD, SOUND_USD = 5 * 0.07, 5 * 0.14  # what five seconds of its default model cost
UNLISTED: dict[str, Any] = {"providers": ["elevenlabs-tts"], "options": {"elevenlabs-tts": {"audio_effects": "hall"}}}
MOST_USD = models("elevenlabs-tts")["eleven_multilingual_v2"].most_usd
PASS = {"OPTIONS_POLICY": "pass"}
LONG = "The keeper of the lighthouse counts the ships. " * 400


class Bodies(ScriptedHttp):
    """Vendors that keep what they were sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Mapping[str, Any]] = []

    def send(self, request: HttpRequest, *, deadline: float) -> AbstractContextManager[Answer]:
        self.sent.append(request.json)
        return super().send(request, deadline=deadline)


class SpokenTo(SpeechVendors):
    """Those of long texts, the same."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.sent: list[Mapping[str, Any]] = []

    def send(self, request: HttpRequest, *, deadline: float) -> AbstractContextManager[Answer]:
        self.sent.append(request.json)
        return super().send(request, deadline=deadline)


def test_an_option_that_is_not_listed_is_refused_with_what_is() -> None:
    bench = SpeechBench()
    bench.handle(message(tts(request_id="job-1", **UNLISTED)))
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert record.error is not None
    assert (record.status, record.error.code, bench.http.calls) == (JobStatus.REJECTED, "invalid_request", [])
    assert record.error.message.startswith("options.elevenlabs-tts.audio_effects: not an option of eleven_multilingual")
    assert "(allowed: apply_language_text_normalization, " in record.error.message


def test_no_other_provider_is_asked_instead() -> None:
    """The options are meant: what is said with another provider's voice would not be what was asked for."""
    bench = SpeechBench()
    record = bench.handle(tts(request_id="job-1", **UNLISTED | {"providers": ["elevenlabs-tts", "openai-tts"]}))
    assert record is not None
    assert (record.status, bench.http.calls) == (JobStatus.REJECTED, [])


def test_each_provider_gets_its_own_options_and_no_others() -> None:
    bench = SpeechBench()
    bodies = bench.world.http = Bodies()
    bodies.always("api.openai.com", Answer(503, b"{}"))
    options = {"elevenlabs-tts": {"seed": 7}, "gemini-tts": {"serviceTier": "priority"}}
    providers = ["openai-tts", "elevenlabs-tts"]
    record = bench.served(tts(providers=providers, strategy="ordered", options=options))
    first, *_, last = bodies.sent
    assert (record.provider, "seed" in first, last["seed"], "serviceTier" in last) == (
        "elevenlabs-tts",
        False,
        7,
        False,
    )


def test_where_the_deployment_lets_it_pass_it_counts_as_the_most_that_a_call_costs() -> None:
    bench = SpeechBench()
    bench.world.variables, bodies = PASS, Bodies()
    bench.world.http = bodies
    record = bench.served(tts(**UNLISTED))
    assert record.status is JobStatus.SUCCEEDED
    assert [each.estimate_usd for each in record.purchases] == [MOST_USD]
    assert [body["audio_effects"] for body in bodies.sent] == ["hall"]


def test_what_passes_is_bounded_by_what_the_request_may_cost() -> None:
    bench = SpeechBench()
    bench.world.variables = PASS
    bench.handle(message(tts(request_id="job-1", max_cost_usd=0.1, **UNLISTED)))
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert record.error is not None
    assert (record.error.code, bench.http.calls) == ("too_expensive", [])
    assert f"elevenlabs-tts ${MOST_USD:g}" in record.error.message


@pytest.mark.parametrize("options", [{"callback": "https://example.com"}, {"text": "other"}, {"model_id": "eleven_v3"}])
def test_what_would_break_delivery_passes_nowhere(options: dict[str, Any]) -> None:
    bench = SpeechBench()
    bench.world.variables = PASS
    bench.handle(tts(request_id="job-1", providers=["elevenlabs-tts"], options={"elevenlabs-tts": options}))
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert (record.status, bench.http.calls) == (JobStatus.REJECTED, [])


def test_a_clip_with_sound_is_estimated_and_entered_with_it() -> None:
    bench = Bench()
    record = bench.run(video(request_id="job-1", **WITH_SOUND))
    assert record.status is JobStatus.SUCCEEDED
    assert [each.estimate_usd for each in record.purchases] == [pytest.approx(SOUND_USD)]
    assert record.cost_usd == pytest.approx(SOUND_USD)


def test_a_clip_that_may_cost_less_than_with_sound_is_refused() -> None:
    bench = Bench()
    bench.publish(video(request_id="job-1", max_cost_usd=(SILENT_USD + SOUND_USD) / 2, **WITH_SOUND))
    record = bench.record("job-1")
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.REJECTED, "too_expensive")
    assert "fal-kling $0.7" in record.error.message
    silent = bench.run(video(request_id="job-2", max_cost_usd=SILENT_USD, providers=["fal-kling"]))
    assert silent.status is JobStatus.SUCCEEDED


def test_the_budget_sets_the_price_with_sound_aside() -> None:
    bench, store = Bench(), MemoryBudgets()
    plan = {"tenants": {"acme": {"month_usd": 1}}}
    bench.world.budgets = BudgetPorts(store, FixedPlan(json.dumps(plan)))
    bench.publish(video(request_id="job-1", tenant="acme", **WITH_SOUND))
    assert [state.used / 1e9 for state in store.month("2026-08")] == [pytest.approx(SOUND_USD)]
    bench.publish(video(request_id="job-2", tenant="acme", **WITH_SOUND))
    refused = bench.record("acme!job-2")
    assert refused.error is not None
    assert refused.error.code == "over_budget"


def test_pictures_of_a_quality_beyond_the_requests_own_are_priced_by_it() -> None:
    bench = SpeechBench()
    asked = image(
        request_id="job-1",
        providers=["openai-image"],
        model={"openai-image": "gpt-image-2.5-flare"},
        options={"openai-image": {"quality": "max"}},
        max_cost_usd=0.2,
    )
    bench.handle(message(asked))
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert record.error is not None
    assert (record.error.code, "$0.210" in record.error.message) == ("too_expensive", True)


def test_parts_of_a_long_text_carry_the_options_and_their_price() -> None:
    bench = LongBench()
    bench.world.variables = PASS
    bodies = bench.world.http = SpokenTo(bench.clock)
    record = bench.run(tts(LONG, request_id="job-1", **UNLISTED))
    assert record.status is JobStatus.SUCCEEDED
    assert len(bodies.sent) > 1
    assert {body.get("audio_effects") for body in bodies.sent} == {"hall"}
    assert [each.estimate_usd for part in bench.parts() for each in part.purchases] == [MOST_USD] * len(bodies.sent)


def test_a_long_text_that_was_begun_is_spoken_on_with_options_that_would_be_refused_by_now() -> None:
    """Its parts may be paid for: neither an upgrade nor a change of the parameter loses them."""
    bench = LongBench()
    bench.world.variables = PASS
    bench.publish(tts(LONG, request_id="job-1", **UNLISTED))
    (name,) = bench.speeches.started
    bench.world.variables = {}
    bench.execute(name)
    assert bench.record("job-1").status is JobStatus.SUCCEEDED


def test_what_no_provider_takes_anyway_is_refused_as_that_whatever_its_options() -> None:
    """No request to the vendor can be made of a language that it doesn't speak, to judge options by."""
    bench = SpeechBench()
    bench.world.source = FixedKeys(keys(qwen=1))
    bench.world.variables = PASS
    asked = {"kind": "tts", "request_id": "job-1", "input": {"text": "Hyvää huomenta.", "language": "fi"}}
    bench.handle(
        message({**asked, "providers": ["qwen-tts"], "options": {"qwen-tts": {"warmth": 2, "voice": "Cherry"}}})
    )
    record = bench.world.jobs.get("job-1")
    assert record is not None
    assert record.error is not None
    assert (record.status, record.error.code) == (JobStatus.REJECTED, "no_provider")
    assert "input.language: fi" in record.error.message


def test_a_long_text_whose_parts_would_each_count_as_the_most_is_bought_within_its_bound_or_not_at_all() -> None:
    """Each part is a call that counts so: five are more than the one by which the whole was let in."""
    bench = LongBench()
    bench.world.variables = PASS
    bodies = bench.world.http = SpokenTo(bench.clock)
    record = bench.run(tts(LONG, request_id="job-1", max_cost_usd=2, **UNLISTED))
    assert record.error is not None
    assert (record.status, record.error.code, bodies.sent) == (JobStatus.FAILED, "too_expensive", [])
