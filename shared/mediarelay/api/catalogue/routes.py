"""The routes of the catalogue."""

# mypy: disable-error-code="untyped-decorator, no-untyped-call"
from __future__ import annotations

from typing import Annotated, Any

from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import StringConstraints

from mediarelay.api.catalogue.contract import ModelList, VoiceList, model_of, voices_of
from mediarelay.api.routes import Name, ok, route_of
from mediarelay.providers.catalogue import models
from mediarelay.providers.listing import providers
from mediarelay.voices.parsing import shipped_book

router: Any = Router()  # its decorators are not typed
Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]


@route_of(router, "GET /models", summary="Every model", responses=ok("With prices, limits and ends"))
def offered_models(
    provider: Annotated[Name | None, Query(description="Those of one.")] = None,
) -> ModelList:
    """The models that requests may name, as they are shipped."""
    found = [each for each in providers().values() if provider in (None, each.name)]
    return ModelList(models=[model_of(each.kind, model) for each in found for model in models(each.name).values()])


@route_of(router, "GET /voices", summary="Every voice", responses=ok("The book's names, then the vendors' own"))
def offered_voices(
    language: Annotated[Language | None, Query(description="Those that speak it, such as de or de-AT.")] = None,
    provider: Annotated[Name | None, Query(description="Those of one.")] = None,
) -> VoiceList:
    """The voices that requests may name, as they are shipped."""
    book = shipped_book()
    owned = [voice for each in book.voices.values() for voice in each]
    return VoiceList(voices=voices_of(book.names.values(), owned, language=language, provider=provider))
