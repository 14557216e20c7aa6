"""One message, one or several jobs: strategy `all` makes one job per provider."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic_core import to_json

from mediarelay.providers.offers import Route
from mediarelay.request.model import MediaRequest
from mediarelay.vocabulary.kinds import Kind, Strategy

# A message without a deadline must end too: an hour outlasts every provider's rate window and most outages, and is
# shorter than any publisher waits for speech or a picture.
DEFAULT_TIMEOUT_SECONDS: Final = {Kind.TTS: 3600, Kind.IMAGE: 3600, Kind.VIDEO: 4 * 3600, Kind.AUDIO: 4 * 3600}


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One job to serve.

    Attributes:
        job_id: The key in the Jobs table.
        request: The publisher's request.
        routes: The providers that may serve it, best first; never empty.
        received_at: When the message was first published, unix ms.
        expires_at: The deadline, unix seconds.
        fingerprint: Tells a duplicate from another request under the same id.
        known: Whether an earlier delivery probably claimed the job already.
        in_parts: Whether it is a text that no model takes at once; the routes are then those of a sample of it.
    """

    job_id: str
    request: MediaRequest
    routes: Sequence[Route]
    received_at: int
    expires_at: int
    fingerprint: str
    known: bool = False
    in_parts: bool = False


def job_id_of(request: MediaRequest, request_id: str, provider: str) -> str:
    """Return the id of the job that the provider may serve."""
    return f"{request_id}#{provider}" if request.strategy is Strategy.ALL else request_id


def job_specs(
    request: MediaRequest,
    request_id: str,
    routes: Sequence[Route],
    received_at: int,
    *,
    known: bool = False,
    in_parts: bool = False,
) -> list[JobSpec]:
    """Return the jobs of a request."""
    timeout = request.timeout_seconds or DEFAULT_TIMEOUT_SECONDS[request.kind]
    facts = received_at, received_at // 1000 + timeout, fingerprint_of(request), known, in_parts
    if request.strategy is Strategy.ALL:
        return [JobSpec(route.call.request_id, request, [route], *facts) for route in routes]
    return [JobSpec(request_id, request, routes, *facts)]


def fingerprint_of(request: MediaRequest) -> str:
    """Return 16 hexadecimal digits of SHA-256 over what was asked, whatever the order of its fields."""
    asked = request.model_dump(mode="json", exclude={"request_id"}, exclude_defaults=True)
    return hashlib.sha256(to_json(_sorted(asked))).hexdigest()[:16]


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
