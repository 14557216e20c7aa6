from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest

from mediarelay.job_records.contract import AttemptSummary, JobError, JobRecord, Spending
from mediarelay.job_records.job_spec import spent
from mediarelay.long_speech.planning import PartVoice, Trouble, part_request, planned, progress, replanned, sample
from mediarelay.long_speech.speech_state import SpeechPart, SpeechState
from mediarelay.request.model import ImageRequest, TtsRequest
from mediarelay.request.parsing import parse_message
from mediarelay.vocabulary.kinds import JobStatus, SpendingState, Strategy
from mediarelay.vocabulary.outcome import Outcome
from tests.builders.requests import image, tts

OPENAI = PartVoice("openai-tts", "wav", {"text_characters": 100})
ELEVENLABS = PartVoice("elevenlabs-tts", "wav", {"text_characters": 50}, takes_context=True)
TEXT = "".join(f"Sentence number {number} of the text. " for number in range(20))
ENDS = [at + 2 for at in range(len(TEXT) - 1) if TEXT[at] == "."]


def asked(**fields: Any) -> TtsRequest:
    request = parse_message(json.dumps(tts(fields.pop("text", TEXT), **fields)))
    assert isinstance(request, TtsRequest)
    return request


def state(parts: list[SpeechPart], **fields: Any) -> SpeechState:
    given = {"request_id": "job-1", "original": "x", "received_at": 0, "opened_at": 0, "expires_at": 9, **fields}
    return SpeechState(parts=parts, **{"providers": ["openai-tts", "elevenlabs-tts"], **given})


def record(status: JobStatus, code: str = "", *, retryable: bool = False, **fields: Any) -> JobRecord:
    error = JobError(code=code, message="no", retryable=retryable) if code else None
    return JobRecord(request_id="x", status=status, received_at=0, error=error, **fields)


def test_what_is_asked_for_a_part_is_a_request_for_one_provider_and_without_loss() -> None:
    request = asked(
        request_id="job-1",
        strategy="all",
        providers=["openai-tts", "elevenlabs-tts"],
        metadata={"a": 1},
        model={"openai-tts": "tts-1", "elevenlabs-tts": "eleven_v3"},
        input={"format": "mp3", "sample_rate": 8000, "loudness": -16},
    )
    part = part_request(request, OPENAI, 0, 35)
    assert (part.providers, part.strategy, part.model) == (["openai-tts"], Strategy.ORDERED, {"openai-tts": "tts-1"})
    assert (part.input.text, part.input.format) == (TEXT[:35], "wav")
    assert (part.input.sample_rate, part.input.loudness, part.metadata, part.request_id) == (None, None, {}, None)


def test_context_is_told_where_it_is_taken_and_gives_way_to_the_publishers_own() -> None:
    options = {"elevenlabs-tts": {"next_text": "mine", "seed": 7}}
    part = part_request(asked(options=options), ELEVENLABS, 35, 70)
    assert part.options == {"elevenlabs-tts": {"previous_text": TEXT[:35].strip(), "next_text": "mine", "seed": 7}}
    assert part_request(asked(), OPENAI, 35, 70).options == {}


def test_parts_have_ids_that_are_theirs_alone_and_the_same_each_time() -> None:
    parts = planned(asked(), OPENAI, ENDS)
    assert [part.number for part in parts] == list(range(len(parts)))
    ids = [part.job_id("job-1") for part in parts]
    assert len(set(ids)) == len(ids)
    assert ids == [part.job_id("job-1") for part in planned(asked(), OPENAI, ENDS)]
    assert parts[0].model_copy(update={"tries": 2}).job_id("job-1") == f"{ids[0]}-2"


def test_another_provider_gets_what_is_missing_split_anew_between_what_is_kept() -> None:
    request, parts = asked(), planned(asked(), OPENAI, ENDS)
    kept = {1, 4}
    anew = replanned(request, ELEVENLABS, ENDS, parts, kept)
    assert {part.number for part in anew if part.provider == "openai-tts"} == kept
    assert min(part.number for part in anew if part.provider == "elevenlabs-tts") > max(p.number for p in parts)
    spans = [(part.start, part.end) for part in anew]
    assert spans == sorted(spans)
    assert "".join("".join(TEXT[start:end] for start, end in spans).split()) == "".join(TEXT.split())
    assert len({part.number for part in anew}) == len(anew)


def test_the_longest_text_in_the_shortest_parts_fits_into_an_executions_state() -> None:
    text = "a word or two. " * 6_666
    ends = [at + 2 for at in range(len(text) - 1) if text[at] == "."]
    voice = PartVoice("a-provider-of-a-rather-long-name", "wav", {"text_characters": 200})
    parts = planned(asked(text=text), voice, ends)
    ids = [part.job_id("a" * 64 + "#a-provider-of-a-rather-long-name") for part in parts]
    whole = state(parts, missing=parts, given_up=ids[:100])
    assert len(parts) > 500
    assert len(json.dumps(whole.to_state())) < 256 * 1024


@pytest.mark.parametrize(
    ("found", "trouble"),
    [
        (None, Trouble.NONE),
        (record(JobStatus.RUNNING), Trouble.NONE),
        (record(JobStatus.DEFERRED), Trouble.PROVIDER),
        (record(JobStatus.FAILED, "provider_fault", retryable=True), Trouble.PROVIDER),
        (record(JobStatus.FAILED, "no_usable_key", retryable=True), Trouble.PROVIDER),
        (record(JobStatus.FAILED, "invalid_request"), Trouble.PROVIDER),
        (record(JobStatus.FAILED, "model_gone"), Trouble.PROVIDER),
        (record(JobStatus.FAILED, "unusable_delivery"), Trouble.PROVIDER),
        (record(JobStatus.FAILED, "content_rejected"), Trouble.FATAL),
        (record(JobStatus.FAILED, "ambiguous_submit"), Trouble.FATAL),
        (record(JobStatus.FAILED, "result_not_stored"), Trouble.FATAL),
        (record(JobStatus.FAILED, "internal_error"), Trouble.FATAL),
    ],
)
def test_what_a_part_came_to_says_what_stands_in_the_way(found: JobRecord | None, trouble: Trouble) -> None:
    (part, *_) = planned(asked(), OPENAI, ENDS)
    assert progress(state([part]), {part.job_id("job-1"): found}).trouble is trouble


@pytest.mark.parametrize("fields", [{"providers": ["openai-tts"]}, {"refused": ["elevenlabs-tts"]}])
def test_a_refusal_is_final_where_nobody_else_may_be_asked(fields: dict[str, Any]) -> None:
    (part, *_) = planned(asked(), OPENAI, ENDS)
    records = {part.job_id("job-1"): record(JobStatus.FAILED, "invalid_request")}
    assert progress(state([part], **fields), records).trouble is Trouble.FATAL


def test_two_answers_that_were_paid_for_in_vain_are_enough() -> None:
    parts = planned(asked(), OPENAI, ENDS)[:2]
    vain = AttemptSummary(
        provider="openai-tts", key_id="k", outcome=Outcome.UNUSABLE_DELIVERY, latency_ms=1, cost_usd=0.5
    )
    failed = record(JobStatus.FAILED, "unusable_delivery", attempts=[vain])
    made = progress(state(parts), {part.job_id("job-1"): failed for part in parts})
    assert made.trouble is Trouble.FATAL


def test_parts_that_were_given_up_cost_what_they_cost() -> None:
    (part, *_) = planned(asked(), OPENAI, ENDS)
    bought = Spending(provider="openai-tts", model="m", estimate_usd=0.25, state=SpendingState.UNKNOWN)
    spoken = record(JobStatus.SUCCEEDED, purchases=[bought])
    lost = record(JobStatus.FAILED, "provider_fault", retryable=True, purchases=[bought, bought])
    made = progress(state([part], given_up=["job-1/old"]), {part.job_id("job-1"): spoken, "job-1/old": lost})
    cost_usd = spent(list(chain.from_iterable(made.purchases.values()))).cost_usd
    assert (cost_usd, made.trouble, set(made.spoken)) == (
        0.75,
        Trouble.NONE,
        {0},
    )


def test_a_sample_is_the_request_but_for_its_length() -> None:
    request = asked(input={"speed": 2.0})
    short = sample(request)
    assert short is not None
    assert len(short.input.text) <= 60
    assert short.input.model_copy(update={"text": TEXT}) == request.input
    assert sample(asked(text="hello")) is None
    picture = parse_message(json.dumps(image("x" * 500)))
    assert isinstance(picture, ImageRequest)
    assert sample(picture) is None
