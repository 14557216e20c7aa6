"""One attempt: call one provider with one key, verify and store what it delivers, classify what it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.http.ports import HttpClient, HttpResponse
from mediarelay.keys.pools import TakenKey
from mediarelay.providers.api import (
    Delivery,
    InlineMedia,
    MediaSource,
    Provider,
    ProviderCall,
    RemoteMedia,
    StreamedBody,
)
from mediarelay.providers.input_checks import picture, speech
from mediarelay.providers.limit_hints import limit_hint
from mediarelay.results.result_store import Purchase, ResultLost, ResultStore
from mediarelay.results.spooling import NotWhatWasAsked, SpooledMedia, spooled
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.limit import Limit
from mediarelay.vocabulary.log_safety import redacted
from mediarelay.vocabulary.outcome import Failure, Outcome

# Ten pictures of 4K as base64 stay below this; error bodies are a few KB.
ANSWER_LIMIT_BYTES: Final = 128 * 1024 * 1024
FETCH_TRIES: Final = 3
FETCH_PAUSE_SECONDS: Final = 0.3
# What storing and settling may take at the end of a worker's life.
SETTLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How one attempt went. Either `purchase` or `failure` is set; `limit` is the rate limit that a success stated."""

    purchase: Purchase | None
    failure: Failure | None
    status: int | None
    limit: Limit | None = None


class AttemptRunner:
    """Makes attempts. Thread-safe."""

    def __init__(
        self,
        http: HttpClient,
        result_store: ResultStore,
        *,
        base_urls: Mapping[str, str],
        secrets: Callable[[], Sequence[str]],
        clock: Clock,
    ) -> None:
        """`base_urls` has the address of every provider."""
        self._http = http
        self._result_store = result_store
        self._base_urls = base_urls
        self._secrets = secrets
        self._clock = clock

    def run(
        self, provider: Provider, call: ProviderCall, key: TakenKey, *, prefix: str, worker_ends_at: float
    ) -> AttemptResult:
        """Make one paid call.

        Raises:
            ResultLost: It delivered, but the bucket stayed unreachable until the worker's end.
        """
        try:
            return self._call(provider, call, key, prefix, worker_ends_at)
        except Unreachable as error:
            outcome = Outcome.TIMEOUT_SENT if error.sent else Outcome.TIMEOUT_UNSENT
            return self._failed(Failure(outcome, error.code, error.reason))

    def _call(
        self, provider: Provider, call: ProviderCall, key: TakenKey, prefix: str, worker_ends_at: float
    ) -> AttemptResult:
        request = provider.build_request(call).at(self._base_urls[provider.name])
        signed = provider.sign(request, key.secret.get_secret_value(), now=self._clock.now())
        deadline = worker_ends_at - SETTLE_SECONDS
        with self._http.send(signed, deadline=deadline) as response:
            streamed = provider.streams(response.status, response.headers)
            body = None if streamed else response.read(ANSWER_LIMIT_BYTES)
            answer = provider.parse_response(HttpReply(response.status, response.headers, body), call)
            if isinstance(answer, Failure):
                return self._failed(_priced(answer, provider, call))
            with ExitStack() as stack:
                taken_in = self._taken_in(stack, answer, response, call, worker_ends_at)
                if isinstance(taken_in, Failure):
                    return self._failed(taken_in)
                purchase = self._stored(taken_in, answer, response, call, key, prefix, worker_ends_at)
            return AttemptResult(purchase, None, response.status, limit_hint(response.headers))

    def _taken_in(
        self, stack: ExitStack, delivery: Delivery, response: HttpResponse, call: ProviderCall, worker_ends_at: float
    ) -> list[SpooledMedia] | Failure:
        """What of the delivery can be used; where nothing can, why."""
        media: list[SpooledMedia] = []
        failed: Failure | None = None
        for source in delivery.media:
            try:
                media.append(self._take_in(stack, source, response, delivery.format, call, worker_ends_at))
            except NotWhatWasAsked as error:
                failed = failed or Failure(Outcome.UNUSABLE_DELIVERY, "wrong_media", str(error), response.status)
            except Unreachable as error:
                if not isinstance(source, RemoteMedia):
                    raise
                # Finished and not to be had: nobody knows what it was, so that nothing is bought in its place.
                failed = Failure(Outcome.TIMEOUT_SENT, error.code, error.reason)
        if media or failed is None:
            return media
        return replace(failed, cost_usd=delivery.cost_usd)

    def _stored(
        self,
        media: Sequence[SpooledMedia],
        delivery: Delivery,
        response: HttpResponse,
        call: ProviderCall,
        key: TakenKey,
        prefix: str,
        worker_ends_at: float,
    ) -> Purchase:
        warnings = _remarks(media, delivery, call)
        facts = {
            "provider": call.model.provider,
            "model": call.model.id,
            "key-id": key.entry.key_id,
            "cost-usd": f"{delivery.cost_usd:.6f}",
            **({"warning": "; ".join(warnings)} if warnings else {}),
        }
        spent = Purchase(call.model.provider, call.model.id, key.entry.key_id, delivery.cost_usd, (), warnings)
        try:
            outputs = self._result_store.keep(media, prefix=prefix, facts=facts, until=worker_ends_at)
        except StoreUnavailable as error:
            raise ResultLost(error, spent, response.status) from error
        return replace(spent, outputs=outputs)

    def _take_in(
        self,
        stack: ExitStack,
        source: MediaSource,
        response: HttpResponse,
        format_: str,
        call: ProviderCall,
        worker_ends_at: float,
    ) -> SpooledMedia:
        text = speech(call).text if call.input.kind is Kind.TTS else None
        match source:
            case StreamedBody():
                return stack.enter_context(spooled(response.chunks(), format_, text=text))
            case InlineMedia(data=data):
                return stack.enter_context(spooled([data], format_, text=text))
            case RemoteMedia(url=url):
                return self._fetched(stack, url, format_, text, worker_ends_at)

    def _fetched(
        self, stack: ExitStack, url: str, format_: str, text: str | None, worker_ends_at: float
    ) -> SpooledMedia:
        """Download a finished result. It is paid for: a failing download is tried again, and never buys another.

        An error page in place of the result is a failed download like any other.
        """
        for attempt in range(1, FETCH_TRIES + 1):
            try:
                return stack.enter_context(spooled(self._download(url, worker_ends_at), format_, text=text))
            except (Unreachable, NotWhatWasAsked) as error:
                if isinstance(error, NotWhatWasAsked) and not error.page:
                    raise
                if attempt == FETCH_TRIES or self._clock.now() + FETCH_PAUSE_SECONDS >= worker_ends_at:
                    reason = f"the result at {url} could not be fetched: {error}"
                    raise Unreachable("download_failed", reason, sent=True) from error
            self._clock.sleep(FETCH_PAUSE_SECONDS * attempt)
        raise AssertionError("unreachable: the last try returns or raises")

    def _download(self, url: str, worker_ends_at: float) -> Iterator[bytes]:
        with self._http.fetch(url, deadline=worker_ends_at - SETTLE_SECONDS) as response:
            if response.status != 200:  # noqa: PLR2004 # OK
                raise Unreachable("download_failed", f"status {response.status}", sent=True)
            yield from response.chunks()

    def _failed(self, failure: Failure) -> AttemptResult:
        return AttemptResult(None, redacted(failure, self._secrets()), failure.status)


def _priced(failure: Failure, provider: Provider, call: ProviderCall) -> Failure:
    """With what a paid answer probably costs in which nothing can be used, where the provider's module didn't say."""
    if failure.outcome is not Outcome.UNUSABLE_DELIVERY or failure.cost_usd:
        return failure
    return replace(failure, cost_usd=provider.estimate_usd(call))


def _remarks(media: Sequence[SpooledMedia], delivery: Delivery, call: ProviderCall) -> tuple[str, ...]:
    """How what is delivered differs from what was asked for, in words for its publisher."""
    name = call.model.provider
    wanted = picture(call).n if call.input.kind is Kind.IMAGE else len(delivery.media)
    fewer = [f"{name}: {len(media)} of {wanted} outputs can be used"] if len(media) < wanted else []
    other = [
        f"{name}: {remark}; it is stored as what it is" for remark in {item.remark for item in media if item.remark}
    ]
    return (*fewer, *other)
