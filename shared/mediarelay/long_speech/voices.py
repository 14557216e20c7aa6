"""How each provider speaks the parts of a text."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from mediarelay.long_speech.planning import PartVoice, part_request, sample
from mediarelay.long_speech.speech_state import SpeechPart
from mediarelay.long_speech.splitting import text_limits
from mediarelay.providers.api import SpeaksInContext, SpeechProvider
from mediarelay.request.model import TtsRequest
from mediarelay.routing.order import source_format
from mediarelay.routing.router import Router
from mediarelay.vocabulary.errors import RequestRejected

logger = logging.getLogger(__name__)

# What is joined without loss, and says its own rate.
LOSSLESS: Final = "wav"


class PartVoices:
    """Asks the router."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def available(self, request: TtsRequest, job_id: str, *, now: float) -> Sequence[str]:
        """Return the providers that can speak parts of the text now, best first; empty when there are none."""
        try:
            routes = self._router.routes(sample(request) or request, job_id, now=now, begun=True)
        except RequestRejected as rejected:
            logger.warning("nobody speaks", extra={"request_id": job_id, "reason": rejected.message})
            return ()
        return [route.offer.provider for route in routes]

    def price(self, voice: PartVoice, request: TtsRequest, part: SpeechPart, *, now: float) -> float:
        """Return what the part would cost, US dollars."""
        asked = part_request(request, voice, part.start, part.end)
        return self._router.route(part.provider, asked, "", now=now).offer.cost_usd

    def of(self, provider: str, request: TtsRequest, *, now: float) -> PartVoice:
        """Return how the provider speaks parts of the text."""
        route = self._router.route(provider, sample(request) or request, "", now=now)
        context = isinstance(route.provider, SpeaksInContext) and route.provider.takes_context(route.call.model.id)
        made = route.provider.formats if isinstance(route.provider, SpeechProvider) else ()
        format_ = source_format(LOSSLESS, made) or LOSSLESS
        return PartVoice(provider, format_, text_limits(route.call.model.limits), context)
