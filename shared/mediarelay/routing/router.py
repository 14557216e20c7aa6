"""Which providers can serve a request, and which should be asked first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from random import Random
from typing import Final, NamedTuple

from mediarelay.health.fleet_view import FleetHealth
from mediarelay.job_records.job_spec import job_id_of
from mediarelay.keys.pools import KeyPools
from mediarelay.providers import listing
from mediarelay.providers.answers import answer_bytes
from mediarelay.providers.api import Capability, ProviderCall, TimedProvider, Voice
from mediarelay.providers.catalogue import Model, default_model, default_of, models
from mediarelay.providers.listing import AddedServers, ListedProvider
from mediarelay.providers.offers import Offer, Route
from mediarelay.request.model import BaseRequest, MediaRequest, TtsRequest
from mediarelay.routing.order import Decision, call_of, decide, too_expensive, unaffordable
from mediarelay.vocabulary.errors import RequestRejected
from mediarelay.vocabulary.kinds import Kind, Strategy
from mediarelay.voices.book import VOICES_FIELD, VoiceBook, WantedVoice

logger = logging.getLogger(__name__)

VOICE_NOTICE_DAYS: Final = 30
# Jobs of minutes: what they come to is brought in by workers of its own.
_LATER: Final = (Kind.VIDEO, Kind.AUDIO)


class Deployment(NamedTuple):
    """What a deployment decides of routing.

    Attributes:
        servers: They have the models and voices of those providers that the catalogue and the book do not know.
        day: Rehearsed: models and voices are judged as of it instead of today.
        passes_options: Whether vendor options pass that the catalogue does not list.
    """

    servers: AddedServers
    day: date | None = None
    passes_options: bool = False


class Router:
    """Turns a request into routes, best first."""

    def __init__(
        self,
        offered: Mapping[str, ListedProvider],
        providers: Mapping[str, Capability],
        keys: KeyPools,
        health: FleetHealth,
        rng: Random,
        deployment: Deployment,
    ) -> None:
        self._deployment = deployment
        self._servers = deployment.servers
        self._offered = offered
        self._providers = providers
        self._imported: dict[str, Capability] = {}
        self._keys = keys
        self._health = health
        self._rng = rng
        self._added: object = None
        self._book: VoiceBook | None = None

    def routes(
        self,
        request: MediaRequest,
        request_id: str,
        *,
        now: float,
        whole: MediaRequest | None = None,
        begun: bool = False,
    ) -> Sequence[Route]:
        """Return the routes that can serve the request, best first.

        Args:
            request: What is asked.
            request_id: The key of its job.
            now: Unix seconds.
            whole: What is to be paid for, where the request is a sample of it.
            begun: Whether the request is of a job that is under way: its options were judged when it began.

        Raises:
            RequestRejected: No provider can, or none for what it may cost; the message gives each provider's reason.
        """
        names = self._named(request)
        self.refresh(names)
        routes: dict[str, Route] = {}
        refusals: list[str] = []
        for name in names:
            answer = self._route(name, request, request_id, now, whole, begun=begun)
            if isinstance(answer, Route):
                routes[name] = answer
            else:
                refusals.append(answer)
        fan_out = request.strategy is Strategy.ALL
        if request.max_cost_usd is not None:
            self._leave_out_dear(routes, refusals, request.max_cost_usd, request)
        # When the publisher named the providers of strategy `all`, one that refuses would be a result silently missing.
        if not routes or (fan_out and request.providers and refusals):
            raise RequestRejected("no_provider", "; ".join(refusals))
        if fan_out:
            return list(routes.values())
        decision = decide([route.offer for route in routes.values()], request.strategy, rng=self._rng)
        _log(decision, request_id)
        return [routes[offer.provider] for offer in decision.order]

    @staticmethod
    def _leave_out_dear(routes: dict[str, Route], refusals: list[str], most: float, request: MediaRequest) -> None:
        fan_out = request.strategy is Strategy.ALL
        dear = unaffordable({name: each.offer.cost_usd for name, each in routes.items()}, most, together=fan_out)
        for name in dear:
            del routes[name]
        if dear and (not routes or (fan_out and request.providers)):
            raise RequestRejected("too_expensive", "; ".join([too_expensive(most, dear, together=fan_out), *refusals]))

    def route(self, name: str, request: MediaRequest, job_id: str, *, now: float) -> Route:
        """Return the route for a provider that was chosen before."""
        today = self._today(now)
        provider = self.provider(name)
        model, voice = self._model(name, request, today), None
        if isinstance(request, TtsRequest):
            model, voice = self._speaking(name, request, model, today)
        # Of a job that is under way already only what follows is asked: it has its voice, whatever the book says now.
        spoken = voice if isinstance(voice, Voice) else None
        call = call_of(provider, request.input, job_id, model, request.options.get(name, {}), spoken)
        offer = Offer(name, provider.estimate_usd(call), model.typical_seconds, usable_keys=1, model=model.id)
        return Route(offer, provider, call, _warning(call, today))

    def refresh(self, providers: Sequence[str]) -> None:
        """Read the keys and the health of these providers if what is known of them is old.

        Raises:
            StoreUnavailable: The keys have never been read and cannot be read now.
        """
        self._keys.refresh({self._offered[name].vendor for name in providers})
        self._health.refresh()

    def provider(self, name: str) -> Capability:
        """Return the provider of that name; its vendor's code is imported when it is first asked for."""
        found = self._imported.get(name)
        if found is None:
            found = self._imported[name] = self._providers[name]
        return found

    def warning(self, provider: str, model: str, *, now: float) -> str | None:
        """Return a warning about the model, such as that it retires; None when there is none."""
        found = self._models(provider).get(model)
        return found.retirement_warning(self._today(now)) if found else None

    def _named(self, request: BaseRequest) -> Sequence[str]:
        kind: Kind = request.kind  # type: ignore[attr-defined]  # every request of the union has one
        serving = [name for name, provider in self._offered.items() if provider.kind is kind]
        if not serving:
            raise RequestRejected("no_provider", f"kind: no provider for {kind} is configured")
        allowed = f"allowed for {kind}: {', '.join(serving)}"
        for position, name in enumerate(request.providers or ()):
            if name not in serving:
                raise RequestRejected("invalid_request", f"providers.{position}: {name} is not available; {allowed}")
        for field in ("model", "options"):
            for name in getattr(request, field):
                if name not in serving:
                    raise RequestRejected("invalid_request", f"{field}.{name}: not an available provider; {allowed}")
        return request.providers or serving

    def _model(self, name: str, request: MediaRequest, today: date) -> Model:
        wanted = request.model.get(name)
        if wanted is None and name in self._servers.models:
            return default_of(self._servers.models[name].values(), today)
        if wanted is None:
            return default_model(name, today, serves=getattr(request.input, "type", None))
        offered = self._models(name)
        if wanted not in offered:
            raise RequestRejected(
                "invalid_request", f"model.{name}: {wanted} is not in the catalogue; allowed: {', '.join(offered)}"
            )
        return offered[wanted]

    def _today(self, now: float) -> date:
        return self._deployment.day or datetime.fromtimestamp(now, UTC).date()

    def _speaking(self, name: str, request: TtsRequest, model: Model, today: date) -> tuple[Model, Voice | str]:
        """Return who speaks, by which model: by another than the default where only that has such a voice."""
        voice = self._voice(name, request, model, today)
        if isinstance(voice, str) and name not in request.model:
            for other in self._models(name).values():
                found = None if other.retired(today) else self._voice(name, request, other, today)
                if isinstance(found, Voice):
                    return other, found
        return model, voice

    def _voice(self, name: str, request: TtsRequest, model: Model, today: date) -> Voice | str:
        """Return who speaks, or why nobody can."""
        asked, own = request.input, request.options.get(name, {}).get("voice")
        if own is not None and not isinstance(own, str):
            return f"options.{name}.voice: must be the id of a voice"
        wanted = WantedVoice(asked.voice, asked.voice_policy == "exact", asked.language, own)
        return self._voice_book().choose(name, wanted, model.id, today)

    def _voice_book(self) -> VoiceBook:
        """Return the book with the operator's voices, which are read with the keys; parsed when they have changed."""
        added = self._keys.beside(VOICES_FIELD)
        if self._book is None or (added is not self._added and added != self._added):
            # Imported here: only a worker that is asked for speech pays for the schema that checks the book.
            from mediarelay.voices.parsing import book_with  # noqa: PLC0415

            speaking = {each.name for each in listing.providers().values() if each.kind is Kind.TTS}
            self._book, faults = book_with(added, speaking | self._offered.keys(), self._servers)
            self._added = added
            for fault in faults:
                logger.error("a voice of the operator's left out", extra={"reason": fault})
        return self._book

    def _check_options(self, provider: Capability, call: ProviderCall) -> None:
        """Judge vendor options. They are meant for this provider: with a slip in them it isn't passed over for another.

        Raises:
            RequestRejected: One is not allowed; the message names those that are.
        """
        # Imported here: few requests have options.
        from mediarelay.routing.options import refusal  # noqa: PLC0415

        wrong = refusal(provider, call, passing=self._deployment.passes_options)
        if wrong is not None:
            raise RequestRejected("invalid_request", wrong)

    def _models(self, provider: str) -> Mapping[str, Model]:
        return self._servers.models.get(provider) or models(provider)

    def _route(
        self, name: str, request: MediaRequest, request_id: str, now: float, whole: MediaRequest | None, *, begun: bool
    ) -> Route | str:
        """Return a route at the price of the whole, or why there is none."""
        vendor = self._offered[name].vendor
        if not self._keys.has_keys(vendor):
            return f"{name}: no key of vendor {vendor} is configured"
        provider = self.provider(name)
        today = self._today(now)
        model = self._model(name, request, today)
        if model.retired(today):
            return str(model.retirement_warning(today))
        voice: Voice | None = None
        if isinstance(request, TtsRequest):
            model, speaker = self._speaking(name, request, model, today)
            if isinstance(speaker, str):
                return speaker
            times = request.input.timestamps
            if times and not isinstance(provider, TimedProvider):
                return f"input.timestamps: {times}; {name} does not tell when a word is heard"
            voice = speaker
        job_id = job_id_of(request, request_id, name)
        call = call_of(provider, request.input, job_id, model, request.options.get(name, {}), voice)
        refusal = provider.refusal(call)
        if refusal is not None:
            return refusal
        # Behind it: to judge options, requests are built with and without them, of what the provider takes.
        if call.options and not begun:
            self._check_options(provider, call)
        offer = Offer(
            provider=name,
            cost_usd=provider.estimate_usd(call if whole is None else replace(call, input=whole.input)),
            expected_seconds=self._health.expected_seconds(name, model.typical_seconds),
            usable_keys=self._keys.usable(provider.vendor, name),
            availability=self._health.availability(name, model.id),
            pending=self._health.pending(name),
            as_asked=call.source_format is None,
            model=model.id,
        )
        expected = 0 if request.kind in _LATER else answer_bytes(call)
        return Route(offer, provider, call, _warning(call, today), expected)


def _warning(call: ProviderCall, today: date) -> str | None:
    """Return what is about to end of what the call uses; None when nothing is."""
    model, voice = call.model.retirement_warning(today) if call.model.retires else None, call.voice
    if voice is None or voice.retires is None or (voice.retires - today).days > VOICE_NOTICE_DAYS:
        return model
    ends = f"{call.model.provider} voice {voice.id} ends on {voice.retires.isoformat()}"
    return f"{model}; {ends}" if model else ends


def _log(decision: Decision, request_id: str) -> None:
    """Log a decision with everything it was made from, so that `tools.replay` can make it again."""
    order = [{**asdict(offer), "availability": offer.availability.name.lower()} for offer in decision.order]
    for each in order:
        del each["model"]  # decides nothing but the availability
    logger.info(
        "routed",
        extra={"request_id": request_id, "strategy": decision.strategy, "drawn": decision.drawn, "order": order},
    )
