"""What ElevenLabs says that it charged."""

from __future__ import annotations

from typing import Final

from mediarelay.http.messages import HttpReply
from mediarelay.providers.catalogue import Model
from mediarelay.providers.json_reading import count

MILLION: Final = 1_000_000


def credits_usd(reply: HttpReply, model: Model, *, otherwise: float) -> float:
    """Returns the price by the credits in the answer's header, whose name changed over time, so either is read."""
    used = count(reply.headers.get("character-cost", reply.headers.get("x-character-count")))
    return otherwise if used is None else used * model.prices.get("per_million_credits", 0.0) / MILLION
