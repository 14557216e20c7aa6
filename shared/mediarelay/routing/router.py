"""Who can serve a request, and who should be asked first."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from random import Random

from mediarelay.health.fleet_view import FleetHealth
from mediarelay.providers.api import Capability, Provider, ProviderCall
from mediarelay.providers.catalogue import Model, default_model, models
from mediarelay.providers.offers import Offer
from mediarelay.request.model import BaseRequest, MediaRequest
from mediarelay.routing.order import Decision, decide
from mediarelay.vocabulary.errors import RequestRejected
from mediarelay.vocabulary.kinds import Kind, Strategy

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """One provider's part in a request: what would be asked of it."""

    provider: Capability
    call: ProviderCall
    warning: str | None

    @property
    def direct(self) -> Provider:
        """The provider as one that delivers in its answer.

        Raises:
            TypeError: Its results have to be waited for.
        """
        if not isinstance(self.provider, Provider):
            raise TypeError(f"{self.provider.name} delivers nothing in its answer")
        return self.provider


class Router:
    """Turns a request into offers, best first."""

    def __init__(
        self,
        providers: Mapping[str, Capability],
        *,
        usable_keys: Callable[[str], int],
        has_keys: Callable[[str], bool],
        health: FleetHealth,
        rng: Random,
    ) -> None:
        """`usable_keys` takes a provider's name, `has_keys` a vendor's."""
        self._providers = providers
        self._usable_keys = usable_keys
        self._has_keys = has_keys
        self._health = health
        self._rng = rng

    def offers(self, request: MediaRequest, request_id: str, *, now: float) -> tuple[Offer, ...]:
        """Who can serve the request, best first.

        Raises:
            RequestRejected: Nobody can; the message gives each provider's reason.
        """
        self._health.refresh()
        today = datetime.fromtimestamp(now, UTC).date()
        names = self._named(request)
        answers = [self._offer(name, request, today) for name in names]
        offers = [answer for answer in answers if isinstance(answer, Offer)]
        refusals = [answer for answer in answers if isinstance(answer, str)]
        fan_out = request.strategy is Strategy.ALL
        # Fanned out to providers the publisher named, a refusal of one would be a result silently missing.
        if not offers or (fan_out and request.providers and refusals):
            raise RequestRejected("no_provider", "; ".join(refusals))
        if fan_out:
            return tuple(offers)
        decision = decide(offers, request.strategy, rng=self._rng)
        _log(decision, request_id)
        return decision.order

    def route(self, name: str, request: MediaRequest, request_id: str, *, now: float) -> Route:
        """What to ask of one provider."""
        today = datetime.fromtimestamp(now, UTC).date()
        model = self._model(name, request, today)
        call = ProviderCall(request_id, request.input, model, request.options.get(name, {}))
        return Route(self._providers[name], call, model.retirement_warning(today))

    def _named(self, request: BaseRequest) -> Sequence[str]:
        kind: Kind = request.kind  # type: ignore[attr-defined]  # every request of the union has one
        serving = [name for name, provider in self._providers.items() if provider.kind is kind]
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
        if wanted is None:
            return default_model(name, today, serves=getattr(request.input, "type", None))
        offered = models(name)
        if wanted not in offered:
            raise RequestRejected(
                "invalid_request", f"model.{name}: {wanted} is not in the catalogue; allowed: {', '.join(offered)}"
            )
        return offered[wanted]

    def _offer(self, name: str, request: MediaRequest, today: date) -> Offer | str:
        """An offer, or why there is none."""
        provider = self._providers[name]
        if not self._has_keys(provider.vendor):
            return f"{name}: no key of vendor {provider.vendor} is configured"
        model = self._model(name, request, today)
        if model.retired(today):
            return str(model.retirement_warning(today))
        call = ProviderCall("", request.input, model, request.options.get(name, {}))
        refusal = provider.refusal(call)
        if refusal is not None:
            return refusal
        return Offer(
            provider=name,
            cost_usd=provider.estimate_usd(call),
            expected_seconds=self._health.expected_seconds(name, model.typical_seconds),
            usable_keys=self._usable_keys(name),
            standing=self._health.standing(name),
            pending=self._health.pending(name),
        )


def _log(decision: Decision, request_id: str) -> None:
    """With everything it was made from, so that `tools.replay` can make it again."""
    order = [{**asdict(offer), "standing": offer.standing.name.lower()} for offer in decision.order]
    logger.info(
        "routed",
        extra={"request_id": request_id, "strategy": decision.strategy, "drawn": decision.drawn, "order": order},
    )
