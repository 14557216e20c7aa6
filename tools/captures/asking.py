"""From what a capture says was asked to the provider and the call that would have asked it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, Final

from pydantic import ValidationError

from mediarelay.providers.api import Capability, FollowedProvider, JobProvider, Provider, ProviderCall, Voice
from mediarelay.providers.catalogue import Model, default_model, models
from mediarelay.providers.registry import ALL_PROVIDERS, VENDORS
from mediarelay.request.model import AudioInput, ImageInput, MediaInput, TtsInput, VideoInput
from mediarelay.vocabulary.kinds import Kind
from mediarelay.voices.parsing import shipped_book
from tools.captures.capture import Capture, Function

_INPUTS: Final[Mapping[Kind, tuple[type[MediaInput], Mapping[str, Any]]]] = {
    Kind.TTS: (TtsInput, {"text": "hello"}),
    Kind.IMAGE: (ImageInput, {"prompt": "x"}),
    Kind.VIDEO: (VideoInput, {"prompt": "x"}),
    Kind.AUDIO: (AudioInput, {"prompt": "x"}),
}
# What files of captures call a provider that has another name here.
_ALSO_CALLED: Final[Mapping[str, str]] = {"replicate-speech": "replicate-tts"}
# Models of every year are asked for, so none counts as retired.
_LONG_AGO: Final = date(2020, 1, 1)


def provider_of(capture: Capture) -> Capability | None:
    """Returns who is to read the answer; None when there is no such provider yet.

    A provider's name, or a vendor's: that stands for its provider that has the model, else for the first that can be
    asked in this way at all. So does the name of a provider that can't.
    """
    name = _ALSO_CALLED.get(capture.provider, capture.provider)
    named = ALL_PROVIDERS.get(name)
    if named is not None and _answers(named, capture):
        return named
    vendor = VENDORS.get(named.vendor if named else name)
    able = [each for each in vendor.providers if _answers(each, capture)] if vendor else []
    model = capture.request.get("model")
    return next((each for each in able if model in models(each.name)), next(iter(able), None))


def call_of(capture: Capture, provider: Capability) -> ProviderCall:
    """Returns the call that the answer is to; what the capture leaves out, or no request of ours can say, is usual."""
    asked = capture.request
    name = asked.get("external_task_id") or asked.get("request_id") or "req-1"
    given = _input(provider.kind, asked)
    model, options = _model(provider, asked, given), _options(asked)
    voice = _voice(provider, asked) if provider.kind is Kind.TTS else None
    return ProviderCall(str(name), given, model, options, voice)


def _answers(provider: Capability, capture: Capture) -> bool:
    match capture.function:
        case Function.RESPONSE:
            return isinstance(provider, Provider)
        case Function.SUBMIT | Function.POLL:
            return isinstance(provider, JobProvider | FollowedProvider)
        case _:
            return isinstance(provider, JobProvider)


def _input(kind: Kind, asked: Mapping[str, Any]) -> MediaInput:
    """The input, field by field: a recorded one may be in the vendor's terms, or be what was refused."""
    shape, usual = _INPUTS[kind]
    wanted = {**asked, **(asked["input"] if isinstance(asked.get("input"), Mapping) else {})}
    if asked.get("kind") in ("music", "sfx"):
        wanted.setdefault("type", asked["kind"])
    fields = dict(usual)
    for name, value in wanted.items():
        if name not in shape.model_fields:
            continue
        try:
            shape.model_validate({**fields, name: value})
        except ValidationError:
            continue
        fields[name] = value
    return shape.model_validate(fields)


def _model(provider: Capability, asked: Mapping[str, Any], given: MediaInput) -> Model:
    wanted = asked.get("model")
    known = models(provider.name)
    if isinstance(wanted, str) and wanted in known:
        return known[wanted]
    usual = default_model(provider.name, _LONG_AGO, serves=getattr(given, "type", None))
    return replace(usual, id=wanted) if isinstance(wanted, str) and wanted else usual


def _voice(provider: Capability, asked: Mapping[str, Any]) -> Voice:
    """The voice that was asked for, else the first of the provider's: no answer depends on it."""
    wanted, own = asked.get("voice"), shipped_book().voices.get(provider.name, ())
    return Voice(wanted if isinstance(wanted, str) else own[0].id)


def _options(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    options = asked.get("options")
    return options if isinstance(options, Mapping) else {}
