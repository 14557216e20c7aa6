"""Decide how a long text goes on: split it, have parts spoken, give a provider up, join what is there, settle.

Whatever is decided is decided by the records of the parts, so that it can be decided again at any time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Final

from mediarelay.job_records.claims import Settlement
from mediarelay.job_records.contract import JobError, JobRecord, Output, Spending
from mediarelay.job_records.job_spec import adopted, exceeds, lost, spent, summed
from mediarelay.job_records.ports import Purse
from mediarelay.long_jobs.assembly import no_purse
from mediarelay.long_jobs.ports import MediaJobStore
from mediarelay.long_speech.joining import CannotJoin, PartJoiner, Sounds
from mediarelay.long_speech.originals import Originals
from mediarelay.long_speech.planning import (
    PartVoice,
    Progress,
    Trouble,
    held_parts,
    job_ids,
    planned,
    progress,
    replanned,
    tried_again,
    warnings_of,
)
from mediarelay.long_speech.ports import SpeechProgress
from mediarelay.long_speech.segmenting import sentence_ends
from mediarelay.long_speech.speech_state import SpeechPart, SpeechState, SpeechStep, going
from mediarelay.long_speech.start import stored_whole
from mediarelay.long_speech.voices import PartVoices
from mediarelay.request.model import TtsRequest
from mediarelay.results.media_type import CONTENT_TYPES
from mediarelay.results.result_store import Folder, Purchase, ResultStore, prefix_of
from mediarelay.serving.attempts import milliseconds, newest
from mediarelay.serving.job_errors import (
    cancelled_error,
    expired_error,
    lost_execution_error,
    not_joined_error,
    too_dear_error,
)
from mediarelay.vocabulary.backoff import RESCUE, RESCUES, Growth, outage_wait
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.counters import Counters
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus, Kind
from mediarelay.vocabulary.retrying import retry_until

logger = logging.getLogger(__name__)

# How often to look whether a part is held no more, where no execution waits for that.
HELD_PAUSE_SECONDS: Final = 10.0
# So long no part of a cancelled text can be begun; an invocation that was made before that is over much sooner.
CLOSED_SECONDS: Final = 3600
# Between rounds in which every provider was given up.
AGAIN: Final = Growth(base=15.0, cap=1800.0)
# What has failed by then is tried at a later step.
SETTLE_SECONDS: Final = 5.0


@frozen
class _Ending:
    status: JobStatus
    error: JobError | None = None
    outputs: tuple[Output, ...] = ()
    found: Purchase | None = None  # of the whole text, by one call


@frozen
class _Choice:
    """Who speaks what is missing, after a pause; and who is not to be asked in this round, or ever again."""

    provider: str | None
    failed: list[str]
    refused: list[str]
    rounds: int
    pause: float = 0.0


@frozen
class SteerParts:
    """What the steering is done with; `share` as in `long_jobs.settle.JobSettler`.

    `purse_of` returns what is set aside of budgets for the job of a record.
    """

    originals: Originals
    voices: PartVoices
    joiner: PartJoiner
    results: ResultStore
    counters: Counters
    share: Callable[[str, Settlement], None]
    purse_of: Callable[[JobRecord], Purse | None] = no_purse


class SpeechSteerer:
    """Steers executions. One per worker."""

    def __init__(
        self,
        jobs: MediaJobStore,
        notes: SpeechProgress,
        parts: SteerParts,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._notes = notes
        self._originals = parts.originals
        self._voices = parts.voices
        self._joiner = parts.joiner
        self._results = parts.results
        self._counters = parts.counters
        self._share = parts.share
        self._purse_of = parts.purse_of
        self._clock = clock

    def steer(
        self,
        state: SpeechState,
        *,
        worker_ends_at: float,
        failure: Mapping[str, str] | None = None,
        resumes: bool = True,
    ) -> SpeechState:
        """Decide the next step, which may be to wait for a store of ours, or settle the job.

        Args:
            state: The execution's.
            worker_ends_at: Unix seconds.
            failure: What the state machine caught, of this function: `Error` and `Cause`.
            resumes: Whether the execution goes on with what is returned; else the job ends here and now.

        Raises:
            StoreUnavailable: The table, the bucket or the keys are unavailable, and the execution does not go on.
        """
        if failure is not None:
            state = self._caught(state, failure)
            caught = len(state.caught or ())
            if resumes and caught <= RESCUES:
                return going(state, SpeechStep.WAIT, seconds=RESCUE.ceiling(caught - 1))
        try:
            return self._steered(state, worker_ends_at, resumes=resumes).model_copy(update={"outages": None})
        except StoreUnavailable as error:
            if not resumes:
                raise
            logger.warning("put off: %s", error, extra={"request_id": state.request_id, "outages": state.outages})
        before = state.outages or 0
        later = state.model_copy(update={"outages": before + 1})
        seconds = outage_wait(before, now=self._clock.now(), deadline=state.expires_at)
        return going(later, SpeechStep.WAIT, seconds=seconds)

    def _caught(self, state: SpeechState, failure: Mapping[str, str]) -> SpeechState:
        """Count an error of ours."""
        name = failure.get("Error", "nothing to settle")
        facts = {"request_id": state.request_id, "error": name, "cause": failure.get("Cause", "")[:300]}
        logger.error("execution failed", extra=facts)
        self._counters.count("JobsCaught", {})
        return state.model_copy(update={"caught": [*(state.caught or ()), name]})

    def _steered(self, state: SpeechState, worker_ends_at: float, *, resumes: bool) -> SpeechState:
        caught = state.caught or []
        given_up = caught[-1] if caught and (not resumes or len(caught) > RESCUES) else None
        whole = self._jobs.get(state.request_id)
        if whole is None or whole.status.settled:
            return going(state, SpeechStep.DONE)
        if not state.parts and (given_up is not None or whole.cancelled_at is not None):
            state = self._originals.last_state(state)
        if whole.cancelled_at is not None:
            self._close(state)
        whole, found = (whole, None) if state.parts else stored_whole(self._results, whole)
        records = {job_id: self._jobs.get(job_id) for job_id in job_ids(state)}
        made = progress(state, records)
        end = self._ending(state, whole, made, found, given_up)
        if end is None:
            onward = self._onward(state, whole, made, records)
            if isinstance(onward, SpeechState):
                return onward
            end = onward
        held = [record for job_id in held_parts(state, made) if (record := records[job_id]) is not None]
        held_until = max([record.lease_until or 0 for record in held], default=0)
        left = held_until / 1000 - self._clock.now()
        if left > 0:
            # Somebody may be paying for a part: the record of the whole must count it.
            self._notes.note_stopped(state.request_id, milliseconds(self._clock.now()))
            if resumes:
                return going(state, SpeechStep.WAIT, seconds=left + 1)
            # Nobody waits outside for an execution that has ended.
            pause = min(left + 1, HELD_PAUSE_SECONDS)
            if self._clock.now() + pause > worker_ends_at:
                raise StoreUnavailable("jobs table", "settle a long text", "a worker still holds a part")
            self._clock.sleep(pause)
            return self._steered(state, worker_ends_at, resumes=resumes)
        if not self._settle(state, whole, made, end, worker_ends_at) and whole.cancelled_at is None:
            return self._steered(state, worker_ends_at, resumes=resumes)  # settled since it was read, or cancelled
        return going(state, SpeechStep.DONE)

    def _close(self, state: SpeechState) -> None:
        """Let no part of a cancelled text be begun: a worker may have been asked for one before that.

        One that a worker serves is waited for, and counted.
        """
        now = milliseconds(self._clock.now())
        for job_id in job_ids(state):
            if not self._jobs.await_request(job_id, now, tenant=None, ttl=now // 1000 + CLOSED_SECONDS):
                self._jobs.note_cancel(job_id, now)

    # --- the end --------------------------------------------------------------------------------------------------

    def _ending(
        self,
        state: SpeechState,
        whole: JobRecord,
        made: Progress,
        found: Purchase | None,
        given_up: str | None,
    ) -> _Ending | None:
        if whole.cancelled_at is not None:
            return _Ending(JobStatus.FAILED, cancelled_error())
        if found is not None:
            return _Ending(JobStatus.SUCCEEDED, outputs=found.outputs, found=found)
        if given_up is not None:
            return _Ending(JobStatus.FAILED, lost_execution_error(given_up))
        if state.parts and len(made.spoken) == len(state.parts):
            return self._joined(state, made)  # paid for: whatever the hour
        if self._clock.now() >= state.expires_at:
            return _Ending(JobStatus.EXPIRED, expired_error(state.expires_at, state.received_at, made.attempts))
        return _Ending(JobStatus.FAILED, made.error) if made.trouble is Trouble.FATAL else self._impossible(state)

    def _impossible(self, state: SpeechState) -> _Ending | None:
        """Return the end of a job for which nothing should be bought, since it could not be joined."""
        if not state.parts:
            try:
                self._joiner.check()
            except CannotJoin as error:
                return _Ending(JobStatus.FAILED, not_joined_error(str(error), bought=False))
        return None

    def _joined(self, state: SpeechState, made: Progress) -> _Ending:
        request = self._originals.read(state.original)
        parts = [made.spoken[part.number].outputs for part in state.parts]
        # A part whose times couldn't be had is there all the same, and says so in a warning.
        times = [file for outputs in parts for file in outputs if file.content_type == CONTENT_TYPES["json"]]
        last = made.spoken[state.parts[-1].number]
        prefix = prefix_of(Kind.TTS, state.received_at, state.request_id)
        facts = {
            "provider": last.provider or "",
            "model": last.model or "",
            "cost-usd": f"{spent(summed([*chain.from_iterable(made.purchases.values())])).cost_usd:.6f}",
        }
        target = f"{prefix}{last.provider}-0.{request.input.format}"
        try:
            asked = request.input
            files, rate, loudness = [outputs[0] for outputs in parts], asked.sample_rate, asked.loudness
            wanted = Sounds(files, asked.format, target, facts, sample_rate=rate, loudness=loudness)
            if asked.timestamps and len(times) == len(parts):
                made_of_them = self._joiner.join_timed(wanted, times, asked.timestamps)
            else:
                made_of_them = [self._joiner.join(wanted)]
        except CannotJoin as error:
            return _Ending(JobStatus.FAILED, not_joined_error(str(error), bought=True))
        return _Ending(JobStatus.SUCCEEDED, outputs=tuple(made_of_them))

    def _settle(
        self, state: SpeechState, whole: JobRecord, made: Progress, end: _Ending, worker_ends_at: float
    ) -> bool:
        # What a worker made of the text, while a provider took it at once, stands in the record of the whole.
        attempts = (*whole.attempts, *made.attempts)
        now = milliseconds(self._clock.now())
        records = [made.spoken[part.number] for part in state.parts if part.number in made.spoken]
        asked = end.found or (records[-1] if records else None)
        voices = [end.found.substituted] if end.found else [record.voice_substituted for record in records]
        settlement = Settlement(
            request_id=state.request_id,
            claim_id="",
            status=end.status,
            settled_at=now,
            latency_ms=now - state.opened_at,
            queue_ms=max(0, state.opened_at - state.received_at),
            provider=asked.provider if asked else (attempts[-1].provider if attempts else None),
            model=asked.model if asked and end.outputs else None,
            attempts=newest(attempts),
            outputs=end.outputs,
            purchases=self._bought(state, whole, made),
            error=end.error,
            warnings=[*(end.found.warnings if end.found else ()), *warnings_of(records)],
            voice=asked.voice if asked and end.outputs else None,
            voice_substituted=any(voices) and bool(end.outputs),
            interruptions=[each for record in (whole, *records) for each in record.interruptions],
            earmark=whole.earmark,
        )
        until = min(worker_ends_at, self._clock.now() + SETTLE_SECONDS)
        settled = retry_until(lambda: self._jobs.settle_media(settlement), clock=self._clock, until=until)
        facts = {"request_id": state.request_id, "status": end.status, "parts": len(state.parts)}
        logger.info("settled" if settled else "settled by another", extra=facts)
        if settled and state.reuse_key is not None:
            self._share(state.reuse_key, settlement)
        return settled

    def _bought(self, state: SpeechState, whole: JobRecord, made: Progress) -> list[Spending]:
        return summed([*lost(whole.purchases), *self._purchases(state, made)])

    def _purchases(self, state: SpeechState, made: Progress) -> list[Spending]:
        """Return what was bought for all parts, by workers as well that stored it and did not live to settle."""
        held = {part.job_id(state.request_id): part.fingerprint for part in state.parts if part.number in made.held}
        purchases: list[Spending] = []
        for job_id, bought in made.purchases.items():
            folder = Folder(prefix_of(Kind.TTS, state.received_at, job_id), held.get(job_id, ""))
            found = self._results.find(folder) if job_id in held else None
            if found is None:
                purchases += bought
            else:
                purchases += adopted(lost(bought), found.provider, found.model, found.key_id, found.cost_usd)
        return purchases

    # --- the next round -------------------------------------------------------------------------------------------

    def _onward(
        self, state: SpeechState, whole: JobRecord, made: Progress, records: Mapping[str, JobRecord | None]
    ) -> SpeechState | _Ending:
        """Have what is missing spoken: by the provider that spoke before, unless it has to be given up.

        Returns the end where that would cost more than the request may, whoever spoke.
        """
        request, now = self._originals.read(state.original), self._clock.now()
        choice = self._choice(state, made, self._voices.available(request, state.request_id, now=now))
        chosen, pause = choice.provider, min(choice.pause, max(0.0, state.expires_at - now))
        if chosen is None:
            return going(state, SpeechStep.WAIT, seconds=pause, rounds=choice.rounds)
        parts = self._parts(state, request, made, chosen, now)
        parts, lost = tried_again(state, parts, records)
        if request.max_cost_usd is not None or whole.earmark is not None:
            spent_usd = spent(self._bought(state, whole, made)).cost_usd
            known = {part.number: records.get(part.job_id(state.request_id)) for part in parts}
            bought = {number: spent(each.purchases).cost_usd for number, each in known.items() if each is not None}
            within = self._within(parts, request, whole, made, bought, spent_usd, now)
            if isinstance(within, float):
                error = too_dear_error({chosen: within}, spent_usd, request.max_cost_usd, None)
                return _Ending(JobStatus.FAILED, error)
            parts = within
        missing = [part for part in parts if part.number not in made.spoken]
        kept = {part.job_id(state.request_id) for part in parts}
        lost += [job_id for job_id in job_ids(state) if job_id not in kept and job_id not in state.given_up]
        return self._begun(
            state.model_copy(
                update={
                    "parts": parts,
                    # After rounds for nothing one part is enough to find out whether anything has changed.
                    "missing": missing[:1] if choice.rounds else missing,
                    "given_up": [*state.given_up, *(job_id for job_id in dict.fromkeys(lost) if records.get(job_id))],
                    "failed": choice.failed,
                    "refused": choice.refused,
                    "rounds": choice.rounds,
                    "spoken": len(made.spoken),
                }
            ),
            made,
            pause,
        )

    def _within(
        self,
        parts: Sequence[SpeechPart],
        request: TtsRequest,
        whole: JobRecord,
        made: Progress,
        bought: Mapping[int, float],
        spent_usd: float,
        now: float,
    ) -> list[SpeechPart] | float:
        """Return the parts, each with what it may cost; or what is missing would cost, where that is too much."""
        voices: dict[str, PartVoice] = {}
        prices: dict[int, float] = {}
        for part in parts:
            if part.number not in made.spoken:
                voice = voices.get(part.provider) or self._voices.of(part.provider, request, now=now)
                voices[part.provider] = voice
                prices[part.number] = self._voices.price(voice, request, part, now=now)
        missing, purse = sum(prices.values()), self._purse_of(whole)
        bounds = [] if request.max_cost_usd is None else [request.max_cost_usd]
        if purse is not None:
            if not purse.reaches(spent_usd + missing):
                return missing
            bounds.append(purse.earmark.usd)
        if any(exceeds(spent_usd + missing, most) for most in bounds):
            return missing
        slack = max(0.0, min(bounds, default=0.0) - spent_usd - missing) / max(1, len(prices))
        return [
            part.model_copy(update={"most_usd": bought.get(part.number, 0.0) + prices[part.number] + slack})
            if part.number in prices
            else part
            for part in parts
        ]

    @staticmethod
    def _choice(state: SpeechState, made: Progress, available: Sequence[str]) -> _Choice:
        """Choose who speaks what is missing. The one that spoke before goes on while nothing is said against it."""
        current, troubled = made.current, made.trouble is Trouble.PROVIDER
        refused = [*state.refused]
        if troubled and current and made.error is not None and not made.error.retryable:
            refused.append(current)
        allowed = [name for name in available if name in state.providers and name not in refused]
        against = current is not None and (troubled or current not in allowed)
        failed = [*state.failed, *([current] if against and current else [])]
        stuck = bool(state.parts or state.rounds) and len(made.spoken) == state.spoken
        rounds = state.rounds if stuck else 0
        if current is not None and not against and not stuck:
            return _Choice(current, failed, refused, rounds)
        if against or current is None:
            other = next((name for name in allowed if name not in failed), None)
            if other is not None:
                return _Choice(other, failed, refused, rounds)
        # Nobody is left, or nothing came of it: from the beginning, later.
        again = current if current in allowed and not troubled else next(iter(allowed), current)
        return _Choice(again, [], refused, rounds + 1, AGAIN.ceiling(rounds))

    def _parts(
        self, state: SpeechState, request: TtsRequest, made: Progress, chosen: str, now: float
    ) -> list[SpeechPart]:
        if state.parts and chosen == made.current:
            return list(state.parts)
        voice = self._voices.of(chosen, request, now=now)
        ends = sentence_ends(request.input.text, request.input.language)
        if not state.parts:
            return planned(request, voice, ends)
        logger.warning("provider given up", extra={"request_id": state.request_id, "from": made.current, "to": chosen})
        return replanned(request, voice, ends, state.parts, {*made.spoken, *made.held})

    def _begun(self, state: SpeechState, made: Progress, pause: float) -> SpeechState:
        self._originals.note_state(state)
        lease_until = (state.expires_at + 1) * 1000
        if not self._notes.note_plan(
            state.request_id, len(state.parts), spoken=sorted(made.spoken), lease_until=lease_until
        ):
            return going(state, SpeechStep.WAIT)  # settled, or cancelled: the next step knows
        if pause:
            return going(state, SpeechStep.WAIT_TO_SPEAK, seconds=pause)
        return going(state, SpeechStep.SPEAK)
