"""A call of a provider as the router builds it, with the voice that the shipped book chooses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from mediarelay.providers.api import ProviderCall, Voice
from mediarelay.providers.catalogue import Model
from mediarelay.request.model import MediaInput, TtsInput
from mediarelay.routing.options import priced
from mediarelay.voices.book import WantedVoice
from mediarelay.voices.parsing import shipped_book

# Before every retirement in the book.
TODAY = date(2026, 11, 1)


def chosen(model: Model, asked: MediaInput, options: Mapping[str, Any], today: date = TODAY) -> Voice | str | None:
    """The voice, or why there is none; None unless speech is asked for."""
    if not isinstance(asked, TtsInput):
        return None
    wanted = WantedVoice(asked.voice, asked.voice_policy == "exact", asked.language, options.get("voice"))
    return shipped_book().choose(model.provider, wanted, model.id, today)


def calling(model: Model, asked: MediaInput, options: Mapping[str, Any] | None = None) -> ProviderCall:
    """The call of the model's provider.

    Raises:
        LookupError: The book has no voice for it; the message says why.
    """
    match chosen(model, asked, options or {}):
        case str(reason):
            raise LookupError(reason)
        case voice:
            call = ProviderCall("job-1", asked, model, options or {}, voice)
            return priced(call) if options else call
