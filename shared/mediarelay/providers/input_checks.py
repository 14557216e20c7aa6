"""Refusals and option handling that every provider shares, and what a provider is. A refusal names the field and what
is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeGuard, cast

from mediarelay.providers.api import Capability, FollowedProvider, Provider, ProviderCall, SpeechProvider, Voice
from mediarelay.vocabulary.kinds import Kind

# Only for annotations: most functions need the providers, and few build a request.
if TYPE_CHECKING:
    from mediarelay.request.model import AudioInput, ImageInput, TtsInput, VideoInput


def _kept(protocol: type) -> Callable[[Capability], bool]:
    """Ask once for each class: to look for every member of a protocol takes a tenth of a millisecond."""
    known: dict[type, bool] = {}

    def satisfied(provider: Capability) -> bool:
        found = known.get(type(provider))
        if found is None:
            found = known[type(provider)] = isinstance(provider, protocol)
        return found

    return satisfied


# Whether a provider delivers in its answer, makes speech, or may deliver seconds after it accepted.
delivers: Final = cast("Callable[[Capability], TypeGuard[Provider]]", _kept(Provider))
speaks: Final = cast("Callable[[Capability], TypeGuard[SpeechProvider]]", _kept(SpeechProvider))
is_followed: Final = cast("Callable[[Capability], TypeGuard[FollowedProvider]]", _kept(FollowedProvider))


def speech(call: ProviderCall) -> TtsInput:
    """The input as speech, in the format that the vendor is asked for.

    Raises:
        TypeError: The call was not passed through `refusal`.
    """
    if call.input.kind is not Kind.TTS:
        raise TypeError(f"{type(call.input).__name__} is not speech")
    asked = cast("TtsInput", call.input)
    return asked.model_copy(update={"format": call.source_format}) if call.source_format else asked


def voice(call: ProviderCall) -> Voice:
    """The voice that speaks.

    Raises:
        TypeError: The call is none for speech, or was not built with the voice book.
    """
    if call.voice is None:
        raise TypeError("the call has no voice: the voice book chooses one when a call for speech is built")
    return call.voice


def picture(call: ProviderCall) -> ImageInput:
    """The input as a picture.

    Raises:
        TypeError: The call was not passed through `refusal`.
    """
    if call.input.kind is not Kind.IMAGE:
        raise TypeError(f"{type(call.input).__name__} is not a picture")
    return cast("ImageInput", call.input)


def clip(call: ProviderCall) -> VideoInput:
    """The input as a video clip.

    Raises:
        TypeError: The call was not passed through `refusal`.
    """
    if call.input.kind is not Kind.VIDEO:
        raise TypeError(f"{type(call.input).__name__} is not a video clip")
    return cast("VideoInput", call.input)


def sound(call: ProviderCall) -> AudioInput:
    """The input as music or a sound effect.

    Raises:
        TypeError: The call was not passed through `refusal`.
    """
    if call.input.kind is not Kind.AUDIO:
        raise TypeError(f"{type(call.input).__name__} is neither music nor a sound effect")
    return cast("AudioInput", call.input)


def wrong_length(provider: str, seconds: float, call: ProviderCall) -> str | None:
    """Whether the model makes nothing of that length; its limits are `shortest_ms`, `longest_ms` and `step_ms`."""
    limits = call.model.limits
    shortest, longest, step = limits.get("shortest_ms", 0), limits.get("longest_ms"), limits.get("step_ms")
    asked = round(seconds * 1000)
    fits = asked >= shortest and (longest is None or asked <= longest) and (not step or asked % step == 0)
    if fits:
        return None
    most = "" if longest is None else f" to {longest / 1000:g}"
    steps = f" in steps of {step / 1000:g}" if step else ""
    allowed = f"{shortest / 1000:g}{most} seconds{steps}"
    return f"input.duration: {seconds:g}; {provider} model {call.model.id} takes {allowed}"


def too_long(provider: str, name: str, value: str, limit: int | None) -> str | None:
    """Whether the text has more characters than the model takes; no limit is known when None."""
    if limit is None or len(value) <= limit:
        return None
    return f"{name}: {len(value)} characters; {provider} takes at most {limit}"


def too_many_bytes(provider: str, name: str, value: str, limit: int | None) -> str | None:
    """Whether the text has more bytes than the model takes, where these count; no limit is known when None."""
    size = len(value.encode("utf-8", "surrogatepass"))
    return None if limit is None or size <= limit else f"{name}: {size} bytes; {provider} takes at most {limit}"


def too_many(provider: str, name: str, value: int, limit: int | None) -> str | None:
    """Whether more outputs are asked for than one call makes."""
    if limit is None or value <= limit:
        return None
    return f"{name}: {value}; {provider} takes at most {limit}"


def not_offered(provider: str, name: str, value: object, allowed: Iterable[str]) -> str | None:
    """Whether the value is none of those the provider knows."""
    choices = tuple(allowed)
    return None if value in choices else f"{name}: {value}; {provider} takes one of {', '.join(choices)}"


def own_pace_only(provider: str, speed: float) -> str | None:
    """Whether another pace is asked of a provider that has no field for it."""
    return None if speed == 1.0 else f"input.speed: {speed:g}; {provider} speaks at the voice's own pace, 1, only"


def pace_within(provider: str, speed: float, bounds: tuple[float, float]) -> str | None:
    """Whether a pace is asked for that the provider does not take."""
    slowest, fastest = bounds
    if slowest <= speed <= fastest:
        return None
    return f"input.speed: {speed:g}; {provider} takes {slowest:g} to {fastest:g}"


def own_fields(call: ProviderCall) -> dict[str, Any]:
    """The vendor's own fields of a request for speech: its options but for `voice`, which the voice book has read."""
    return {name: value for name, value in call.options.items() if name != "voice"}


def merged(derived: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options over the derived body; nested objects are merged, everything else is replaced."""
    body = dict(derived)
    for name, value in options.items():
        own = body.get(name)
        body[name] = merged(own, value) if isinstance(own, Mapping) and isinstance(value, Mapping) else value
    return body
