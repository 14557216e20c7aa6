"""Which parts a long text has, what is asked for each, and what their records come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from mediarelay.job_records.contract import AttemptSummary, JobError, JobRecord, Spending
from mediarelay.job_records.job_spec import fingerprint_of
from mediarelay.long_speech.speech_state import SpeechPart, SpeechState
from mediarelay.long_speech.splitting import split
from mediarelay.request.model import MediaRequest, TtsRequest
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus, Kind, Strategy
from mediarelay.vocabulary.outcome import Follow, Outcome

# What is judged in place of a text that is too long: everything about it but its length.
SAMPLE_CHARACTERS: Final = 60
# How much of the text around a part is told to vendors that take it.
CONTEXT_CHARACTERS: Final = 300
# What was paid for and can't be used is bought at one other provider at most, as with any text (serving.failover).
PAID_IN_VAIN: Final = 2


def sample(request: MediaRequest) -> TtsRequest | None:
    """Returns the request with so little of its text that no model finds it long; None where that changes nothing."""
    if request.kind is not Kind.TTS:
        return None
    text = request.input.text.strip()
    if len(text) <= SAMPLE_CHARACTERS:
        return None
    return request.model_copy(update={"input": request.input.model_copy(update={"text": text[:SAMPLE_CHARACTERS]})})


@frozen
class PartVoice:
    """How one provider speaks parts.

    Attributes:
        format: What is bought: what loses nothing, where the provider makes it.
        limits: What a part may count in each unit.
        takes_context: Whether it is told what stands before and behind a part.
    """

    provider: str
    format: str
    limits: Mapping[str, int]
    takes_context: bool = False


def part_request(request: TtsRequest, voice: PartVoice, start: int, end: int) -> TtsRequest:
    """Returns what is asked for one span of the text."""
    text = request.input.text
    options = dict(request.options.get(voice.provider, {}))
    if voice.takes_context:
        around = {
            "previous_text": text[max(0, start - CONTEXT_CHARACTERS) : start].strip(),
            "next_text": text[end : end + CONTEXT_CHARACTERS].strip(),
        }
        options = {**{name: said for name, said in around.items() if said}, **options}
    plain = {"format": voice.format, "sample_rate": None, "loudness": None}  # the rest is done to the whole
    asked = request.input.model_copy(update={"text": text[start:end], **plain})
    changes = {
        "request_id": None,
        "input": asked,
        "providers": [voice.provider],
        "strategy": Strategy.ORDERED,
        "options": {voice.provider: options} if options else {},
        "model": {name: model for name, model in request.model.items() if name == voice.provider},
        "metadata": {},
        "client": None,
        "reply_to": None,
        "callback_url": None,
    }
    return request.model_copy(update=changes)


def planned(request: TtsRequest, voice: PartVoice, sentence_ends: Sequence[int]) -> list[SpeechPart]:
    """Returns the parts of the whole text."""
    return _parts(request, voice, 0, len(request.input.text), sentence_ends, first=0)


def replanned(
    request: TtsRequest, voice: PartVoice, sentence_ends: Sequence[int], parts: Sequence[SpeechPart], kept: set[int]
) -> list[SpeechPart]:
    """Returns the parts with all but those numbers split anew, for another provider."""
    first = max(part.number for part in parts) + 1
    made: list[SpeechPart] = []
    run: list[SpeechPart] = []
    for part in [*parts, None]:
        if part is not None and part.number not in kept:
            run.append(part)
            continue
        if run:
            begin, end = run[0].start, run[-1].end
            new = _parts(request, voice, begin, end, sentence_ends, first=first)
            first += len(new)
            made += new
            run = []
        if part is not None:
            made.append(part)
    return made


def _parts(
    request: TtsRequest, voice: PartVoice, start: int, end: int, sentence_ends: Sequence[int], *, first: int
) -> list[SpeechPart]:
    inside = [place - start for place in sentence_ends if start < place < end]
    spans = split(request.input.text[start:end], voice.limits, inside)
    return [
        SpeechPart(
            number=first + index,
            start=start + begin,
            end=start + behind,
            provider=voice.provider,
            fingerprint=fingerprint_of(part_request(request, voice, start + begin, start + behind)),
        )
        for index, (begin, behind) in enumerate(spans)
    ]


# --- what has become of the parts ---------------------------------------------------------------------------------


class Trouble(Enum):
    """What stands in the way of the parts that are not spoken."""

    NONE = "none"  # they were not asked for, or wait for a worker that died
    PROVIDER = "provider"  # another provider, or the same one later, may speak them
    FATAL = "fatal"  # nobody will


@frozen
class Progress:
    """What the records of the parts come to.

    Attributes:
        spoken: The record of each part that is spoken, by number.
        held: Numbers of those that a worker claimed and did not settle: what it bought may lie in the bucket.
        current: Who is to speak the next that is missing; None where none is, and before there are any.
        attempts: All calls, part after part.
        purchases: By the record of each part, those given up included.
    """

    spoken: Mapping[int, JobRecord]
    held: frozenset[int]
    current: str | None
    attempts: tuple[AttemptSummary, ...]
    purchases: Mapping[str, Sequence[Spending]]
    trouble: Trouble
    error: JobError | None


def progress(state: SpeechState, records: Mapping[str, JobRecord | None]) -> Progress:
    """Returns what has become of the parts, by their records and those of parts given up; None where there is none."""
    known = [record for record in records.values() if record is not None]
    own = {part.number: records.get(part.job_id(state.request_id)) for part in state.parts}
    spoken = {number: record for number, record in own.items() if record and record.status is JobStatus.SUCCEEDED}
    held = {number for number, record in own.items() if record and record.status is JobStatus.RUNNING}
    attempts = tuple(attempt for record in known for attempt in record.attempts)
    in_vain = sum(attempt.outcome is Outcome.UNUSABLE_DELIVERY for attempt in attempts)
    current = next((part.provider for part in state.parts if part.number not in spoken), None)
    others = bool(set(state.providers) - {*state.refused, current}) and in_vain < PAID_IN_VAIN
    troubled = [record for record in own.values() if record and record.status in _TROUBLED]
    fatal = next((record for record in troubled if _fatal(record, others=others)), None)
    worst = fatal or next(iter(troubled), None)
    trouble = Trouble.FATAL if fatal else Trouble.PROVIDER if troubled else Trouble.NONE
    purchases = {job_id: record.purchases for job_id, record in records.items() if record is not None}
    return Progress(spoken, frozenset(held), current, attempts, purchases, trouble, worst.error if worst else None)


_TROUBLED: Final = (JobStatus.FAILED, JobStatus.DEFERRED, JobStatus.EXPIRED)


def _fatal(record: JobRecord, *, others: bool) -> bool:
    """Tells whether no later try would help, nor one with another provider."""
    error = record.error
    if record.status is not JobStatus.FAILED or error is None or error.retryable:
        return False
    elsewhere = error.code in set(Outcome) and Outcome(error.code).follow is Follow.FALL_BACK
    return not (elsewhere and others)


def job_ids(state: SpeechState) -> list[str]:
    """Returns the keys of the records of all parts, those given up included."""
    return [*(part.job_id(state.request_id) for part in state.parts), *state.given_up]


def held_parts(state: SpeechState, made: Progress) -> list[str]:
    """Returns the keys of the records of parts that a worker claimed and did not settle."""
    return [part.job_id(state.request_id) for part in state.parts if part.number in made.held]


def tried_again(
    state: SpeechState, parts: Sequence[SpeechPart], records: Mapping[str, JobRecord | None]
) -> tuple[list[SpeechPart], list[str]]:
    """Returns the parts, those that failed under a new id, and the ids that are given up."""
    again, lost = [], []
    for part in parts:
        job_id = part.job_id(state.request_id)
        record = records.get(job_id)
        over = record is not None and record.status in (JobStatus.FAILED, JobStatus.EXPIRED)
        lost += [job_id] * over
        again.append(part.model_copy(update={"tries": part.tries + over}))
    return again, lost


def warnings_of(records: Sequence[JobRecord]) -> list[str]:
    """Returns each warning of the parts once, and that there was more than one provider."""
    said = list(dict.fromkeys(warning for record in records for warning in record.warnings))
    spoke = list(dict.fromkeys(record.provider for record in records if record.provider))
    several = [f"the text was spoken by {' and then by '.join(spoke)}"] if len(spoke) > 1 else []
    return [*several, *said]
