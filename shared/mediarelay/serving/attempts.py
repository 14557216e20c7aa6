"""One claimed job's attempts, from a call to what is stored or refused; and what its worker claims and settles."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Final

from mediarelay.http.messages import HttpReply, HttpRequest, Stretch
from mediarelay.http.ports import HttpClient, HttpResponse
from mediarelay.job_records.claims import Claim, Claimed, Settlement
from mediarelay.job_records.contract import AttemptSummary, JobError, Spending, Uncollected
from mediarelay.job_records.job_spec import RECORD_SECONDS, JobSpec
from mediarelay.keys.pools import TakenKey
from mediarelay.limits.planning import Reservation
from mediarelay.providers.answers import limit_hint
from mediarelay.providers.api import (
    Accepted,
    Capability,
    Delivery,
    InlineMedia,
    MediaSource,
    Provider,
    ProviderCall,
    RemoteMedia,
    StreamedBody,
    TimedProvider,
)
from mediarelay.providers.input_checks import delivers, is_followed, picture, speech
from mediarelay.results.result_store import (
    Folder,
    Holding,
    NotWhatWasAsked,
    Purchase,
    ResultLost,
    ResultStore,
    Room,
    SpooledMedia,
    bought_by,
    prefix_of,
    spooled,
    stored,
    verified,
)
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import JobStatus, Kind, SpendingState
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.log_safety import redacted
from mediarelay.vocabulary.outcome import Failure, Follow, Outcome

# A lease outlives its worker by this much, so that a job never has two owners when clocks disagree by a second or two.
LEASE_GRACE_SECONDS: Final = 5
# What one record keeps of its attempts: a job deferred all day must not outgrow its item.
ATTEMPTS_KEPT: Final = 40


@dataclass(slots=True)
class ClaimedJob:
    """One claimed job while it is being served.

    Attributes:
        holding: What it may hold of answers.
        reservation: The permit that an earlier delivery reserved, until a key is taken.
        reserved: The permit that is reserved for the next delivery.
        purchases: What was bought or may have been, by earlier deliveries as well.
    """

    spec: JobSpec
    claimed: Claimed
    claim_id: str
    claimed_at: float
    worker_ends_at: float
    holding: Holding
    attempts: list[AttemptSummary] = field(default_factory=list)
    purchase: Purchase | None = None
    reservation: Reservation | None = None
    reserved: Reservation | None = None
    purchases: list[Spending] = field(default_factory=list)

    @property
    def folder(self) -> Folder:
        """Where its results lie in the bucket."""
        spec = self.spec
        return Folder(prefix_of(spec.request.kind, self.claimed.received_at, spec.job_id), spec.fingerprint)


def claim_of(spec: JobSpec, now: float, worker_ends_at: float) -> Claim:
    """Return a worker's claim of the job; moments in unix seconds. Without a route it is about to buy nothing."""
    request, at, dearest, about_to = spec.request, milliseconds(now), 0.0, None
    for route in spec.routes:
        dearest = max(dearest, route.offer.cost_usd)
    if spec.routes:
        model = spec.routes[0].call.model
        about_to = Spending(
            provider=model.provider, model=model.id, estimate_usd=dearest, state=SpendingState.SENDING, at=at
        )
    return Claim(
        request_id=spec.job_id,
        claim_id=uuid.uuid4().hex[:12],
        kind=request.kind,
        fingerprint=spec.fingerprint,
        received_at=spec.received_at,
        claimed_at=at,
        lease_until=milliseconds(worker_ends_at + LEASE_GRACE_SECONDS),
        expires_at=spec.expires_at,
        ttl=spec.expires_at + RECORD_SECONDS,
        tenant=request.tenant,
        metadata=request.metadata,
        known=spec.known,
        purchase=about_to,
        message_id=spec.message_id,
        client=request.client,
        reply_to=request.reply_to,
        asked=spec.asked,
        callback_url=request.callback_url,
        callback_body=request.callback_body,
    )


def kept_attempts(job: ClaimedJob) -> Sequence[AttemptSummary]:
    """Return the newest attempts of all deliveries, oldest first, and all that were paid for in vain."""
    return newest((*job.claimed.attempts, *job.attempts))


def newest(attempts: Sequence[AttemptSummary]) -> Sequence[AttemptSummary]:
    """Return as many as a record keeps, oldest first. What was paid for in vain is never left out."""
    if len(attempts) <= ATTEMPTS_KEPT:
        return attempts
    paid = (attempt for attempt in attempts[:-ATTEMPTS_KEPT] if attempt.cost_usd)
    return (*paid, *attempts[-ATTEMPTS_KEPT:])


def settlement_of(job: ClaimedJob, status: JobStatus, error: JobError | None, *, now: float) -> Settlement:
    """Return how the job ended, `now` in unix seconds."""
    bought = job.purchase if status is JobStatus.SUCCEEDED else None
    asked = {attempt.provider for attempt in job.attempts}
    attempts = kept_attempts(job)
    retiring = [route.warning for route in job.spec.routes if route.warning and route.offer.provider in asked]
    return Settlement(
        request_id=job.spec.job_id,
        claim_id=job.claim_id,
        status=status,
        settled_at=milliseconds(now),
        latency_ms=milliseconds(now - job.claimed_at),
        queue_ms=max(0, milliseconds(job.claimed_at) - job.claimed.received_at),
        provider=bought.provider if bought else job.attempts[-1].provider if job.attempts else None,
        model=bought.model if bought else None,
        voice=bought.voice if bought else None,
        voice_substituted=bought.substituted if bought else False,
        attempts=attempts,
        outputs=bought.outputs if bought else (),
        purchases=job.purchases,
        error=error,
        warnings=[*retiring, *(bought.warnings if bought else ())],
        interruptions=job.claimed.interruptions,
        earmark=job.claimed.purse.earmark if job.claimed.purse else None,
    )


def milliseconds(seconds: float) -> int:
    """Convert to whole milliseconds."""
    return round(seconds * 1000)


# Of an answer that brings no media: when each of 40,000 characters is heard comes to 2 MB.
ANSWER_LIMIT_BYTES: Final = 4 * 1024 * 1024
# What storing and settling may take at the end of a worker's life.
SETTLE_SECONDS: Final = 1.0
# What making another format must leave of it: its file has yet to be stored.
STORE_SECONDS: Final = 4.0


@frozen
class AttemptResult:
    """How one attempt went. Either `purchase` or `failure` is set; `limit` is the rate limit that a success stated."""

    purchase: Purchase | None
    failure: Failure | None
    status: int | None
    limit: Limit | None = None


def outcome_of(purchase: Purchase | None, failure: Failure | None) -> tuple[SpendingState, float | None]:
    """Return what has become of a purchase whose call is over, and what it cost where that is known."""
    if failure is None:
        return (SpendingState.CHARGED, purchase.cost_usd) if purchase else (SpendingState.UNKNOWN, None)
    if failure.outcome.follow is Follow.AMBIGUOUS:
        return SpendingState.UNKNOWN, None
    return (SpendingState.CHARGED, failure.cost_usd) if failure.cost_usd else (SpendingState.NOT_CHARGED, None)


class AttemptRunner:
    """Makes attempts. Thread-safe."""

    def __init__(
        self,
        http: HttpClient,
        result_store: ResultStore,
        room: Room,
        *,
        base_urls: Mapping[str, str],
        secrets: Callable[[], Sequence[str]],
        clock: Clock,
    ) -> None:
        """`base_urls` has the address of every provider; the room is what callers take from before they buy."""
        self.room = room
        self._http = http
        self._result_store = result_store
        self._base_urls = base_urls
        self._secrets = secrets
        self._clock = clock

    def run(
        self,
        provider: Capability,
        call: ProviderCall,
        key: TakenKey,
        holding: Holding,
        *,
        folder: Folder,
        worker_ends_at: float,
    ) -> AttemptResult:
        """Make one paid call, whose answer counts against what the job holds.

        Raises:
            ResultLost: It delivered, but the bucket, or its own media host, stayed unreachable until the worker's end.
            TypeError: Its results have to be waited for.
        """
        if not delivers(provider):
            raise TypeError(f"{provider.name} delivers nothing in its answer")
        try:
            return self._call(provider, call, key, holding, folder, worker_ends_at)
        except Unreachable as error:
            outcome = Outcome.TIMEOUT_SENT if error.sent else Outcome.TIMEOUT_UNSENT
            return self._failed(Failure(outcome, error.code, error.reason))
        finally:
            holding.used = 0

    def _call(
        self,
        provider: Provider,
        call: ProviderCall,
        key: TakenKey,
        holding: Holding,
        folder: Folder,
        worker_ends_at: float,
    ) -> AttemptResult:
        request = provider.build_request(call).at(self._base_urls[provider.name])
        now, deadline = self._clock.now(), worker_ends_at - SETTLE_SECONDS
        if is_followed(provider):
            request = provider.held(request, deadline - now)
        signed = provider.sign(request, key.secret.get_secret_value(), now=now)
        with self._http.send(signed, deadline=deadline) as response, ExitStack() as stack:
            try:
                if provider.streams(response.status, response.headers):
                    reply = HttpReply(response.status, response.headers, None)
                else:
                    # Imported here: most speech is a body of its own.
                    from mediarelay.http.spooled_json import read_spooled  # noqa: PLC0415

                    reply = read_spooled(response, stack, holding.note)
                answer = provider.parse_response(reply, call)
                if isinstance(answer, Accepted):
                    answer = self._followed(provider, call, key, answer, deadline)
                if isinstance(answer, Failure):
                    return self._failed(_priced(answer, provider, call))
                taken_in = self._taken_in(stack, answer, response, call, holding, worker_ends_at)
                if isinstance(taken_in, Failure):
                    left = _left(answer) if taken_in.outcome is Outcome.TIMEOUT_SENT else None
                    if left is not None:
                        away = StoreUnavailable("media host", "give the result", taken_in.message)
                        bought = bought_by(call, key.entry.key_id, answer.cost_usd)
                        raise ResultLost(away, bought, response.status, left)
                    return self._failed(taken_in)
                warnings = _remarks(taken_in, len(answer.media), call)
                if getattr(call.input, "timestamps", None) and isinstance(provider, TimedProvider):
                    files, answer, remarks = self._timed(provider, call, key, answer, deadline)
                    taken_in, warnings = [*taken_in, *files], (*warnings, *remarks)
                if key.slot is not None:
                    key.slot.end()  # the vendor is done with the call
                purchase = self._stored(taken_in, answer, warnings, response, call, key, folder, worker_ends_at)
            except Unreachable as error:
                # With the status: an answer that began as a success is not bought a second time at this provider.
                return self._failed(Failure(Outcome.TIMEOUT_SENT, error.code, error.reason, response.status))
            return AttemptResult(purchase, None, response.status, limit_hint(response.headers))

    def _followed(
        self, provider: Provider, call: ProviderCall, key: TakenKey, accepted: Accepted, deadline: float
    ) -> Delivery | Failure:
        # Imported here: hardly any vendor answers before it has the result.
        from mediarelay.serving.following import followed  # noqa: PLC0415

        if not is_followed(provider):
            raise TypeError(f"{provider.name} accepted what nobody can ask it for")
        ask = partial(self._asked, provider, key, deadline)
        return followed(provider, call, accepted.task, ask=ask, until=deadline, clock=self._clock)

    def _timed(
        self, provider: TimedProvider, call: ProviderCall, key: TakenKey, delivery: Delivery, deadline: float
    ) -> tuple[Sequence[SpooledMedia], Delivery, Sequence[str]]:
        """The files with the times of a speech, the delivery with what they cost, and a warning where none came."""
        from mediarelay.serving.timing import timed  # noqa: PLC0415 # few ask for times

        ask, until = partial(self._asked, provider, key, deadline), deadline - STORE_SECONDS
        times = timed(provider, call, delivery, ask=ask, until=until, clock=self._clock)
        priced = replace(delivery, cost_usd=delivery.cost_usd + times.cost_usd)
        if times.failure is None:
            return times.files, priced, []
        code = redacted(times.failure, self._secrets()).code
        return [], priced, [f"{provider.name}: the speech comes without its times: {code}"]

    def _asked(self, provider: Provider, key: TakenKey, deadline: float, request: HttpRequest) -> HttpReply:
        """Make a further call about what a key has bought."""
        at = request.at(self._base_urls[provider.name])
        signed = provider.sign(at, key.secret.get_secret_value(), now=self._clock.now())
        with self._http.send(signed, deadline=deadline) as response:
            return HttpReply(response.status, response.headers, response.read(ANSWER_LIMIT_BYTES))

    def _taken_in(
        self,
        stack: ExitStack,
        delivery: Delivery,
        response: HttpResponse,
        call: ProviderCall,
        holding: Holding,
        worker_ends_at: float,
    ) -> list[SpooledMedia] | Failure:
        """What of the delivery can be used; where nothing can, why."""
        media: list[SpooledMedia] = []
        failed: Failure | None = None
        for source in delivery.media:
            try:
                taken_in = self._take_in(stack, source, response, delivery.format, call, holding)
                media.append(self._as_asked(stack, taken_in, call, worker_ends_at))
            except NotWhatWasAsked as error:
                failed = failed or Failure(Outcome.UNUSABLE_DELIVERY, "wrong_media", str(error), response.status)
            except Unreachable as error:
                if not isinstance(source, RemoteMedia):
                    raise
                # Finished and not to be had: nobody knows what it was, so that nothing is bought in its place.
                failed = Failure(Outcome.TIMEOUT_SENT, error.code, error.reason, response.status)
        if media or failed is None:
            return media
        return replace(failed, cost_usd=delivery.cost_usd)

    def _stored(
        self,
        media: Sequence[SpooledMedia],
        delivery: Delivery,
        warnings: tuple[str, ...],
        response: HttpResponse,
        call: ProviderCall,
        key: TakenKey,
        folder: Folder,
        worker_ends_at: float,
    ) -> Purchase:
        spent = bought_by(call, key.entry.key_id, delivery.cost_usd, warnings)
        try:
            return stored(self._result_store, spent, media, folder, until=worker_ends_at)
        except StoreUnavailable as error:
            raise ResultLost(error, spent, response.status, _left(delivery)) from error

    def collect(
        self, call: ProviderCall, bought: Spending, holding: Holding, *, folder: Folder, worker_ends_at: float
    ) -> Purchase | Failure:
        """Fetch and store what an earlier delivery bought. Returns why not, where it is not what was asked for.

        Raises:
            StoreUnavailable: Not to be had or to be stored yet.
        """
        from mediarelay.serving.downloading import collected  # noqa: PLC0415 # hardly any result is fetched later

        try:
            with ExitStack() as stack:
                media = collected(self._http, self._clock, stack, call, bought, holding)
                asked = [self._as_asked(stack, each, call, worker_ends_at) for each in media]
                warnings = _remarks(asked, len(asked), call)
                spent = bought_by(call, bought.key_id or "", bought.cost_usd or 0.0, warnings)
                return stored(self._result_store, spent, asked, folder, until=worker_ends_at)
        except NotWhatWasAsked as error:
            return Failure(Outcome.UNUSABLE_DELIVERY, "wrong_media", str(error), cost_usd=bought.cost_usd or 0.0)
        finally:
            holding.used = 0

    def _take_in(
        self,
        stack: ExitStack,
        source: MediaSource,
        response: HttpResponse,
        format_: str,
        call: ProviderCall,
        holding: Holding,
    ) -> SpooledMedia:
        text = speech(call).text if call.input.kind is Kind.TTS else None
        match source:
            case StreamedBody():
                return stack.enter_context(spooled(response.chunks(), format_, text=text, holding=holding))
            case InlineMedia(data=Stretch(sha256=checksum) as whole, rest=()) if checksum:
                return verified(whole.file, whole.size, checksum, format_, text)
            case InlineMedia(data=data, rest=rest):
                parts = (part.pieces() if isinstance(part, Stretch) else (part,) for part in (data, *rest))
                return stack.enter_context(spooled(chain.from_iterable(parts), format_, text=text, holding=holding))
            case RemoteMedia(url=url):
                # Imported here: hardly any speech lies elsewhere.
                from mediarelay.serving.downloading import downloaded  # noqa: PLC0415

                return downloaded(self._http, self._clock, stack, url, format_, text=text, holding=holding)

    def _as_asked(
        self, stack: ExitStack, media: SpooledMedia, call: ProviderCall, worker_ends_at: float
    ) -> SpooledMedia:
        """The media in the format of the request, made here where the provider was asked for another."""
        if call.source_format is None:
            return media
        from mediarelay.results.remade import remade  # noqa: PLC0415 # most speech comes as it was asked for

        asked, ends_at = speech(replace(call, source_format=None)), worker_ends_at - STORE_SECONDS
        return stack.enter_context(remade(media, asked, in_time=lambda: self._clock.now() < ends_at))

    def _failed(self, failure: Failure) -> AttemptResult:
        return AttemptResult(None, redacted(failure, self._secrets()), failure.status)


def _left(delivery: Delivery) -> Uncollected | None:
    """Return where all of a delivery can be fetched again; None where it came with the answer."""
    urls = [source.url for source in delivery.media if isinstance(source, RemoteMedia)]
    return Uncollected(urls=urls, format=delivery.format) if urls and len(urls) == len(delivery.media) else None


def _priced(failure: Failure, provider: Provider, call: ProviderCall) -> Failure:
    """With what a paid answer probably costs in which nothing can be used, where the provider's module didn't say."""
    if failure.outcome is not Outcome.UNUSABLE_DELIVERY or failure.cost_usd:
        return failure
    return replace(failure, cost_usd=provider.estimate_usd(call))


def _remarks(media: Sequence[SpooledMedia], made: int, call: ProviderCall) -> tuple[str, ...]:
    """How what is delivered differs from what was asked for, in words for its publisher; so many outputs were made."""
    name = call.model.provider
    wanted = picture(call).n if call.input.kind is Kind.IMAGE else made
    fewer = [f"{name}: {len(media)} of {wanted} outputs can be used"] if len(media) < wanted else []
    remarks = dict.fromkeys(item.remark for item in media if item.remark)
    other = [f"{name}: {remark}; it is stored as what it is" for remark in remarks]
    return (*fewer, *other)
