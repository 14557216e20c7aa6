"""The keywords of what is asked for. Written by tools.client_models from docs/schemas."""

from __future__ import annotations

from typing import Literal, TypedDict

from pydantic import JsonValue


class RequestOptions(TypedDict, total=False):
    """What may be said of every request."""

    request_id: str | None
    """The publisher's idempotency key: 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit. The
    SQS message id when absent.
    """
    providers: list[str] | None
    """Allowed providers, in order, each once; all that serve the kind when absent."""
    strategy: Literal["fastest", "ordered", "cheapest", "all"]
    """fastest: by expected latency. ordered: as listed in providers. cheapest: by expected price. all: every
    provider, one result each.
    """
    model: dict[str, str]
    """Model by provider; the catalogue's default when absent."""
    options: dict[str, dict[str, JsonValue]]
    """Vendor fields by provider, of those that the list of its model allows, each at its price; at most 4096 bytes
    of JSON in UTF-8.
    """
    timeout_seconds: int | None
    """Seconds from publishing after which the job is expired; an hour for tts and image, four for video and audio,
    when absent.
    """
    on_ambiguous: Literal["fail", "resubmit"]
    """What to do when a call may have been paid for but its answer was lost: fail, or resubmit and perhaps pay
    twice.
    """
    max_cost_usd: float | None
    """What the request may cost at most, US dollars: a provider whose estimate is above it is not asked, nor one
    that would follow a purchase in vain beyond it. With strategy all it bounds the sum. No bound when absent.
    """
    cache_seconds: int | None
    """Lets the file of an identical request of the same tenant do, if it was delivered so many seconds ago at
    most, at no cost; one that is being bought is waited for. Bought in any case when absent.
    """
    on_budget: Literal["fail", "wait"] | None
    """What to do when the budget of the tenant or the stage does not allow it: fail, or wait for the next day or
    month, if that begins before its deadline. fail when absent.
    """
    tenant: str | None
    """Whom it is for: 1 to 64 letters, digits, '_', '.', ':', '@' or '-', the first a letter or digit. An
    attribute of the result event, for filter policies.
    """
    metadata: dict[str, JsonValue]
    """Echoed in the result; at most 2048 bytes of JSON in UTF-8."""
    client: str | None
    """Who publishes: 1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit. An attribute of the
    result event, for filter policies.
    """
    reply_to: str | None
    """A queue of this stack that is sent the result event besides, once and without a second try: the name of a
    queue: what the stack's replies begin with, -reply-, and 32 hexadecimal digits. What is not heard there is
    asked from the API.
    """
    callback_url: str | None
    """Who is told how it ended, by Standard Webhooks (docs/callbacks.md): an https URL of a host by its name, with
    port 443 and without a user or a fragment. Its host is one that the deployment allows.
    """
    callback_body: Literal["full", "thin"] | None
    """What it is told: the whole result event, or its ids. full when absent."""


class SayOptions(RequestOptions, total=False):
    """What may be said besides the text: speech."""

    voice: str | None
    """A name of the voice book, such as alloy, which every provider can play; or a vendor's own id, for which only
    those are asked that have it. The book's default for the language when absent. To name one for each
    provider, set options.<provider>.voice.
    """
    voice_policy: Literal["equivalent", "exact"]
    """Of a voice named by the book. equivalent: a provider without it speaks with one of the same language and
    gender. exact: only those are asked that have the voice itself.
    """
    language: str | None
    """a language tag such as en, pt-BR or zh-Hant; heard from the text when absent."""
    speed: float
    """Times the voice's natural pace."""
    format: Literal["mp3", "wav", "opus", "aac", "flac", "pcm"]
    """File format; made of another one where the provider does not make it."""
    sample_rate: Literal[8000, 16000, 22050, 24000, 32000, 44100, 48000] | None
    """Samples per second; the provider's when absent, and 24000 for pcm. An opus file always plays at 48000 and
    then holds no higher tones than the rate allows.
    """
    loudness: float | None
    """Integrated loudness to level the speech to, in LUFS, such as -16; as the provider made it when absent."""
    timestamps: Literal["word", "sentence"] | None
    """Adds when each word or sentence is heard, as three further outputs: JSON, SRT and VTT. A provider that does
    not tell it is not asked.
    """
    instructions: str | None
    """How to say it, such as 'calm, slowly'; models that take none leave it out."""


class DrawOptions(RequestOptions, total=False):
    """What may be said besides the prompt: pictures."""

    size: str
    """auto, or WIDTHxHEIGHT in pixels such as 1024x1024, each from 10 to 9999"""
    n: int
    """How many pictures, each an output of its own."""
    quality: Literal["auto", "low", "medium", "high"]
    """Decides the price with providers that offer qualities; others ignore it."""
    format: Literal["png", "jpeg", "webp"]
    """File format; a provider that does not make it is not asked."""


class FilmOptions(RequestOptions, total=False):
    """What may be said besides the prompt: a video clip."""

    duration: int
    """Seconds."""
    aspect_ratio: Literal["16:9", "9:16", "1:1"]
    """Width to height."""
    mode: Literal["std", "pro"]
    """Standard or professional quality, at its price."""
    image_url: str | None
    """A picture to begin with; filmed from the prompt only when absent."""


class ComposeOptions(RequestOptions, total=False):
    """What may be said besides the prompt: music or sound effects."""

    duration: float | None
    """Seconds; the provider's default when absent."""
    type: Literal["music", "sfx"]
    """Music or a sound effect."""
