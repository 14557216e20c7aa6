"""A text that no model takes at once, by the shipped handlers and machine: bought in parts, joined into one file."""

from __future__ import annotations

import contextlib
import json
import sys
from array import array
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from mediarelay.announce.announcing import AnnounceService
from mediarelay.audio.times import read
from mediarelay.job_records.contract import Spending
from mediarelay.vocabulary.kinds import JobStatus, SpendingState
from tests.builders.keys import keys
from tests.builders.requests import claim, tts
from tests.doubles.clock import ManualClock
from tests.doubles.speech_vendors import AMPLITUDE, seconds_of
from tests.doubles.trouble import KillSwitch, Mortal, WorkerKilled
from tests.harness.long_jobs.asl import Execution
from tests.harness.long_jobs.speeches import SpeechBench
from tests.harness.worker import World

SENTENCE = "The keeper of the lighthouse counts {} ships, and writes each of them down. "
WAV = {"format": "wav"}
BOTH: dict[str, Any] = {"request_id": "job-1", "providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}
ONE: dict[str, Any] = {"request_id": "job-1", "providers": ["openai-tts"]}
SILENT = 32767 * 10 ** (-40 / 20)
PORTS = ("http", "jobs", "media", "media_jobs", "progress", "uploads")


def text_of(characters: int) -> str:
    """So many characters of different sentences."""
    text = ""
    number = 0
    while len(text) < characters:
        text += SENTENCE.format(number)
        number += 1
    return text[: characters - 1] + "."


def squeezed(text: str) -> str:
    return "".join(text.split())


def joints(bench: SpeechBench, samples: array[int], rate: int) -> list[int]:
    """How far the sound jumps from one part to the next, at each joint."""
    at, jumps = 0, []
    for part in sorted(bench.spoken(), key=bench.text.index)[:-1]:
        at += round(seconds_of(part) * rate)
        jumps.append(abs(samples[at] - samples[at - 1]))
    return jumps


def said_once(bench: SpeechBench) -> bool:
    """Whether what was paid for is the text, each part of it once."""
    ordered = sorted(bench.vendors.bought, key=bench.text.index)
    return set(bench.vendors.bought.values()) == {1} and squeezed("".join(ordered)) == squeezed(bench.text)


def test_sixty_thousand_characters_become_one_file() -> None:
    bench = SpeechBench()
    record = bench.run(tts(text_of(60_000), input=WAV, **BOTH))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "openai-tts"), record.error
    assert record.parts_done == record.parts_total == len(bench.vendors.said) == 16
    assert said_once(bench)
    assert {(said.vendor, said.voice) for said in bench.vendors.said} == {("openai", "alloy")}
    assert len(bench.vendors.keys) == 2, "parts are spoken with every key there is"
    rate, samples = bench.sound(record)
    assert len(samples) / rate == pytest.approx(sum(map(seconds_of, bench.vendors.bought)), rel=0.01)
    assert len(joints(bench, samples, rate)) == 15
    assert max(joints(bench, samples, rate)) < SILENT
    assert max(samples) == pytest.approx(32767 * AMPLITUDE, rel=0.01), "only the edges are faded"


def test_what_it_costs_is_the_sum_of_its_parts_and_its_calls_are_theirs() -> None:
    bench = SpeechBench()
    record = bench.run(tts(text_of(9_000), input=WAV, **ONE))
    assert record.cost_usd == pytest.approx(sum(part.cost_usd for part in bench.parts()))
    assert record.cost_usd > 0
    assert len(record.attempts) == 3
    assert [part.status for part in bench.parts()] == [JobStatus.SUCCEEDED] * 3


@pytest.mark.parametrize("format_", ["mp3", "opus", "aac", "flac", "pcm"])
def test_parts_are_bought_without_loss_and_the_whole_is_what_was_asked_for(format_: str) -> None:
    bench = SpeechBench()
    record = bench.run(tts(text_of(5_000), input={"format": format_}, **ONE))
    assert {said.body["response_format"] for said in bench.vendors.said} == {"wav"}
    (output,) = record.outputs
    assert output.key.endswith(f"openai-tts-0.{format_}")
    assert output.bytes == len(bench.uploads.files[output.key])
    assert bench.uploads.open == 0


def test_times_of_the_whole_begin_with_each_part_where_the_ones_before_it_end() -> None:
    bench = SpeechBench()
    timed = {"format": "wav", "timestamps": "word"}
    record = bench.run(tts(text_of(15_000), input=timed, request_id="job-1", providers=["elevenlabs-tts"]))
    assert (record.status, record.warnings) == (JobStatus.SUCCEEDED, [])
    assert [output.key.rpartition("-")[2] for output in record.outputs] == ["0.wav", "1.json", "2.srt", "3.vtt"]
    spans = read(bench.media.files[record.outputs[1].key])
    assert [span.text for span in spans] == bench.text.split()
    at, parts = 0.0, sorted(bench.spoken(), key=bench.text.index)
    assert len(parts) > 3
    for part in parts:
        words = part.split()
        mine, spans = spans[: len(words)], spans[len(words) :]
        assert mine[0].start == pytest.approx(at, abs=0.002)
        at += seconds_of(part)
        assert mine[-1].end == pytest.approx(at, abs=0.002)
    rate, samples = bench.sound(record)
    assert len(samples) / rate == pytest.approx(at, abs=0.002)


def test_parts_lie_apart_from_results_and_are_announced_by_their_whole_alone() -> None:
    bench = SpeechBench()
    record = bench.run(tts(text_of(5_000), input=WAV, **ONE))
    assert all(part.outputs[0].key.startswith("parts/tts/2026/08/01/job-1/") for part in bench.parts())
    service = AnnounceService(topic=_Deaf(), signer=_Signer(), clock=ManualClock(), link_seconds=60)
    assert service.event_of(None, record) is not None
    assert [service.event_of(None, part) for part in bench.parts()] == [None, None]


@pytest.mark.parametrize("escaped", [False, True])
def test_a_hundred_thousand_chinese_characters_are_one_message(*, escaped: bool) -> None:
    bench = SpeechBench()
    text = "".join(f"灯塔的看守人数了{number}艘船, 并把它们一一记下。" for number in range(5_000))[:100_000]
    body = json.dumps(tts(text, input={**WAV, "language": "zh"}, **ONE), ensure_ascii=escaped)
    bench.publish(body)
    state = bench.speeches.started["job-1"]
    assert len(json.dumps(bench.steer(state))) < 256 * 1024, "what an execution's state may be"
    assert bench.record("job-1").parts_total == 64, "2,000 tokens at most, and a character may be more than one"


def test_a_text_that_a_model_takes_goes_the_way_of_every_text() -> None:
    bench = SpeechBench()
    bench.publish(tts(text_of(9_000), input=WAV, **BOTH))
    assert bench.speeches.started == {}
    assert [(said.vendor, len(said.text)) for said in bench.vendors.said] == [("elevenlabs", 9_000)]


def test_a_message_that_comes_twice_is_one_job() -> None:
    bench = SpeechBench()
    body = tts(text_of(5_000), input=WAV, **ONE)
    bench.publish(body)
    record = bench.run(body)
    bench.publish(body)
    assert record.status is JobStatus.SUCCEEDED
    assert len(bench.speeches.started) == 1
    assert said_once(bench)


def test_strategy_all_makes_a_file_of_each_provider() -> None:
    bench = SpeechBench()
    bench.publish(tts(text_of(11_000), input=WAV, **{**BOTH, "strategy": "all"}))
    for name in list(bench.speeches.started):
        bench.execute(name)
    records = [bench.record(f"job-1#{provider}") for provider in BOTH["providers"]]
    assert [record.provider for record in records] == BOTH["providers"]
    assert [record.parts_done for record in records] == [3, 3]
    assert {len(record.outputs) for record in records} == {1}


def test_elevenlabs_is_told_what_stands_before_and_behind_a_part() -> None:
    bench = SpeechBench()
    bench.run(tts(text_of(11_000), input=WAV, request_id="job-1", providers=["elevenlabs-tts"]))
    first, second, third = sorted(
        (said.body for said in bench.vendors.said), key=lambda body: bench.text.index(body["text"])
    )
    assert "previous_text" not in first
    assert bench.text.index(first["next_text"]) < bench.text.index(second["text"]) + 300
    assert first["text"].endswith(second["previous_text"])
    assert third["text"].startswith(second["next_text"][:200])
    assert "next_text" not in third


# --- trouble ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_workers_that_are_killed_buy_at_most_what_was_in_flight(seed: int) -> None:
    rng, switches = Random(seed), []

    def mortal(world: World) -> World:
        if rng.random() < 0.6:
            return world
        switch = KillSwitch(rng.randrange(1, 16))
        switches.append(switch)
        return replace(world, **{port: Mortal(getattr(world, port), switch) for port in PORTS})

    bench = SpeechBench(seed=seed, around=mortal)
    record = bench.run(tts(text_of(24_000), input=WAV, **BOTH))
    in_flight = sum("begin send" in switch.log and "end put" not in switch.log for switch in switches if switch.dead)
    assert sum(switch.dead for switch in switches) > 0
    if any(sum(not lost.adopted for lost in part.interruptions) > 1 for part in bench.parts()):
        # Two workers were lost over one part: nobody tries a third time, and what they may have bought is counted.
        assert (record.error and record.error.code, record.cost_certain) == ("worker_lost", False)
        assert len(bench.vendors.said) <= record.parts_total + in_flight
        return
    assert record.status is JobStatus.SUCCEEDED, record.error
    assert record.parts_done == record.parts_total == 7
    assert len(bench.vendors.said) <= record.parts_total + in_flight
    assert len([key for key in bench.uploads.files if key.startswith("tts/")]) == 1
    rate, samples = bench.sound(record)
    assert len(samples) / rate == pytest.approx(sum(map(seconds_of, bench.vendors.bought)), rel=0.01)
    assert max(joints(bench, samples, rate)) < SILENT


def test_a_provider_that_dies_in_the_middle_leaves_the_rest_to_the_next() -> None:
    bench = SpeechBench()
    bench.vendors.after = (5, "openai")
    record = bench.run(tts(text_of(60_000), input=WAV, **BOTH))
    assert record.status is JobStatus.SUCCEEDED, record.error
    assert said_once(bench)
    assert [said.vendor for said in bench.vendors.said].count("openai") == 5
    assert record.parts_done == record.parts_total
    assert "the text was spoken by openai-tts and then by elevenlabs-tts" in record.warnings
    assert record.cost_usd == pytest.approx(sum(part.cost_usd for part in bench.parts()))


def test_the_rest_is_spoken_by_an_equivalent_of_the_voice_and_the_record_says_so() -> None:
    bench = SpeechBench()
    bench.vendors.after = (2, "openai")
    record = bench.run(tts(text_of(20_000), input={**WAV, "voice": "alloy"}, **BOTH))
    assert record.status is JobStatus.SUCCEEDED, record.error
    voices = {said.vendor: said.voice for said in bench.vendors.said}
    assert voices["openai"] == "alloy"
    assert (record.voice, record.voice_substituted) == (voices["elevenlabs"], True)
    assert len({(said.vendor, said.voice) for said in bench.vendors.said}) == 2, "one voice of each"


def test_whoever_asks_for_one_voice_and_no_other_waits_for_it() -> None:
    bench = SpeechBench()
    bench.vendors.after = (2, "openai")
    record = bench.run(tts(text_of(20_000), input={**WAV, "voice_policy": "exact"}, **BOTH))
    assert record.status is JobStatus.EXPIRED
    assert {said.vendor for said in bench.vendors.said} == {"openai"}


@pytest.mark.parametrize("step", range(1, 11))
def test_a_dispatcher_that_is_killed_starts_one_job_in_the_end(step: int) -> None:
    bench = SpeechBench()
    body = tts(text_of(9_000), input=WAV, **ONE)
    switch = KillSwitch(step)
    ports = ("jobs", "media", "media_jobs", "speeches")
    mortal = replace(bench.world, **{port: Mortal(getattr(bench.world, port), switch) for port in ports})
    with contextlib.suppress(WorkerKilled):
        bench.publish(body, by=mortal)
    record = bench.run(body)
    assert record.status is JobStatus.SUCCEEDED, record.error
    assert said_once(bench)


def test_without_another_provider_the_job_waits_and_buys_only_what_is_missing() -> None:
    bench = SpeechBench()
    bench.vendors.after = (2, "openai")
    recovered: list[float] = []

    def meanwhile(_execution: Execution) -> None:
        if "openai" in bench.vendors.down and bench.clock.now() > bench.began + 600 and not recovered:
            recovered.append(bench.clock.now())
            bench.vendors.after = None
            bench.vendors.down.clear()

    bench.publish(tts(text_of(20_000), input=WAV, **ONE))
    bench.execute("job-1", meanwhile=meanwhile)
    record = bench.record("job-1")
    assert recovered
    assert record.status is JobStatus.SUCCEEDED, record.error
    assert said_once(bench)


def test_a_job_whose_provider_stays_away_expires_and_says_what_was_paid() -> None:
    bench = SpeechBench()
    bench.vendors.after = (2, "openai")
    record = bench.run(tts(text_of(20_000), input=WAV, timeout_seconds=86_400, **ONE))
    assert record.status is JobStatus.EXPIRED
    assert (record.parts_done, record.outputs) == (2, [])
    assert record.cost_usd == pytest.approx(sum(part.cost_usd for part in bench.parts()))
    assert record.cost_usd > 0
    assert sum(bench.ran.visits.values()) < 2_500, "a day of waiting fits into an execution's history"


def test_a_job_whose_keys_are_gone_waits_for_them_and_buys_nothing() -> None:
    bench = SpeechBench()
    bench.publish(tts(text_of(11_000), input=WAV, timeout_seconds=86_400, **BOTH))
    bench.source.keys = {}
    ran = bench.execute("job-1")
    record = bench.record("job-1")
    assert (record.status, record.cost_usd, bench.vendors.said) == (JobStatus.EXPIRED, 0.0, [])
    assert (record.settled_at or 0) / 1000 < bench.began + 86_400 + 60, "the last wait ends with the deadline"
    assert sum(ran.visits.values()) < 2_500


def deferred_at_once(bench: SpeechBench, body: dict[str, Any]) -> None:
    """A provider took the text at once, was paid in vain, and has no keys any more when the message comes again."""
    known, now = bench.source.keys, round(bench.clock.now() * 1000)
    bench.vendors.throttled = {"elevenlabs"}
    bench.publish(body)
    record = bench.record("job-1")
    assert (record.status, bench.speeches.started) == (JobStatus.DEFERRED, {})
    vain = Spending(provider="elevenlabs-tts", model="m", estimate_usd=0.5, state=SpendingState.CHARGED, cost_usd=0.25)
    bench.jobs.claim(claim("job-1", "again", at=now, fingerprint=record.fingerprint, expires_at=record.expires_at))
    assert bench.jobs.defer("job-1", "again", until=now, attempts=record.attempts, purchases=[vain])
    bench.source.keys = {"openai": known["openai"]}


def test_what_was_bought_of_a_text_before_it_was_split_counts() -> None:
    bench, body = SpeechBench(), tts(text_of(9_000), input=WAV, **BOTH)
    deferred_at_once(bench, body)
    record = bench.run(body)
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "openai-tts"), record.error
    assert record.cost_usd == pytest.approx(0.25 + sum(part.cost_usd for part in bench.parts()))
    assert "elevenlabs-tts" in {attempt.provider for attempt in record.attempts}


def test_a_text_that_was_deferred_before_it_was_split_is_settled_though_nobody_can_speak() -> None:
    bench, body = SpeechBench(), tts(text_of(9_000), input=WAV, **BOTH)
    deferred_at_once(bench, body)
    bench.publish(body)
    bench.source.keys = {}
    bench.execute("job-1")
    record = bench.record("job-1")
    assert (record.status, record.cost_usd) == (JobStatus.EXPIRED, 0.25)


def test_keys_that_come_back_are_used() -> None:
    bench = SpeechBench()
    bench.publish(tts(text_of(11_000), input=WAV, **BOTH))
    known, bench.source.keys = bench.source.keys, {}

    def meanwhile(_execution: Execution) -> None:
        if bench.clock.now() > bench.began + 300:
            bench.source.keys = known

    bench.execute("job-1", meanwhile=meanwhile)
    assert bench.record("job-1").status is JobStatus.SUCCEEDED
    assert said_once(bench)


def test_a_part_that_nobody_may_say_ends_the_job_and_the_parts_behind_it() -> None:
    bench = SpeechBench()
    bench.vendors.refused = (" 3 ships",)
    record = bench.run(tts(text_of(60_000), input=WAV, **BOTH))
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "content_rejected")
    assert len(bench.vendors.said) < 15
    assert record.cost_usd == pytest.approx(sum(part.cost_usd for part in bench.parts()))


def test_a_part_whose_answer_is_lost_is_not_bought_again() -> None:
    bench = SpeechBench()
    body = tts(text_of(9_000), input=WAV, **ONE)
    bench.vendors.loses = 1
    record = bench.run(body)
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "ambiguous_submit")
    assert set(bench.vendors.bought.values()) == {1}


def test_a_cancelled_text_is_bought_no_further_and_says_what_was() -> None:
    bench = SpeechBench()
    cancelled: list[int] = []

    def before(name: str, _event: Any) -> None:
        if name == "SpeakPartFunction" and len(bench.vendors.said) == 4 and not cancelled:
            cancelled.append(1)
            bench.publish({"cancel": "job-1"})

    bench.before = before
    record = bench.run(tts(text_of(60_000), input=WAV, **BOTH))
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "cancelled")
    assert (len(bench.vendors.said), record.parts_done, record.outputs) == (4, 4, [])
    assert record.cost_usd == pytest.approx(sum(part.cost_usd for part in bench.parts()))


def test_three_keys_that_run_dry_are_three_keys_that_are_waited_for_or_left() -> None:
    bench = SpeechBench(keys=keys(openai=1, elevenlabs=1))
    bench.vendors.throttled = {"openai"}
    record = bench.run(tts(text_of(20_000), input=WAV, **BOTH))
    assert (record.status, record.provider) == (JobStatus.SUCCEEDED, "elevenlabs-tts"), record.error
    assert said_once(bench)


def test_nothing_is_bought_where_parts_cannot_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mediarelay.audio.transcode", None)
    bench = SpeechBench()
    record = bench.run(tts(text_of(9_000), input=WAV, **ONE))
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "result_not_joined")
    assert (bench.vendors.said, record.cost_usd) == ([], 0.0)


def test_parts_that_cannot_be_joined_are_paid_for_and_kept() -> None:
    bench = SpeechBench()
    bench.publish(tts(text_of(9_000), input=WAV, **ONE))
    planned = bench.steer(bench.speeches.started["job-1"])
    for number in range(3):
        bench.speak(planned, number)
    broken = bench.parts()[1].outputs[0].key
    bench.media.files[broken] = b"RIFF" + bytes(400)
    bench.steer(planned)
    record = bench.record("job-1")
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "result_not_joined")
    assert record.cost_usd == pytest.approx(sum(part.cost_usd for part in bench.parts()))
    assert broken in bench.media.files
    assert bench.uploads.files == {}


def test_an_execution_that_ends_by_itself_is_settled_with_what_it_cost() -> None:
    bench = SpeechBench()
    bench.publish(tts(text_of(20_000), input=WAV, **ONE))
    state = bench.speeches.started["job-1"]
    planned = bench.steer(state)
    bench.speak(planned, 0)
    ended = {"status": "TIMED_OUT", "input": json.dumps(state), "error": "States.Timeout"}
    bench.steer({"detail": ended})
    record = bench.record("job-1")
    assert (record.status, record.error and record.error.code) == (JobStatus.FAILED, "internal_error")
    assert record.cost_usd == pytest.approx(sum(part.cost_usd for part in bench.parts()))
    assert record.cost_usd > 0


class _Deaf:
    def publish(self, events: Any) -> None:
        raise AssertionError(events)


class _Signer:
    def sign(self, key: str) -> tuple[str, str]:
        return key, key
