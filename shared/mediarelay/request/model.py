"""The media request: what a publisher puts on the queue."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from mediarelay.request.bounds import json_within
from mediarelay.vocabulary.kinds import Kind, OnAmbiguous, Strategy

METADATA_LIMIT_BYTES: Final = 2048
OPTIONS_LIMIT_BYTES: Final = 4096

VISIBLE: Final = r"\S"
REQUEST_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
TENANT: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}$"
PROVIDER: Final = r"^[a-z0-9]+(-[a-z0-9]+)*$"
MODEL: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}$"
VOICE: Final = r"^[A-Za-z0-9_-]{1,64}$"
LANGUAGE: Final = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$"
SIZE: Final = r"^(auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3})$"
HTTPS: Final = r"^https://"
REPLY_TO: Final = r"^[A-Za-z0-9_-]{1,41}-reply-[0-9a-f]{32}$"
# One way to read it, whoever does: no user, no port but 443, no number for a host (its last label begins with a
# letter), no fragment, and a path of printable characters without a backslash, which browsers take for a slash.
CALLBACK: Final = r"^https://([A-Za-z0-9-]{1,63}\.)*[A-Za-z][A-Za-z0-9-]{0,62}(:443)?([/?][!\x22$-\x5b\x5d-~]*)?$"

# What each pattern allows, for people: a rejection says this, never the pattern.
IN_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        VISIBLE: "more than white space",
        REQUEST_ID: "1 to 64 letters, digits, '_', '.' or '-', the first a letter or digit",
        TENANT: "1 to 64 letters, digits, '_', '.', ':', '@' or '-', the first a letter or digit",
        PROVIDER: "a provider's name, such as openai-tts: lower-case letters and digits, joined by '-'",
        MODEL: "1 to 100 letters, digits, '_', '.', ':', '/' or '-', the first a letter or digit",
        VOICE: "1 to 64 letters, digits, '_' or '-'",
        LANGUAGE: "a language tag such as en, pt-BR or zh-Hant",
        SIZE: "auto, or WIDTHxHEIGHT in pixels such as 1024x1024, each from 10 to 9999",
        HTTPS: "a URL that begins with https://",
        REPLY_TO: "the name of a queue: what the stack's replies begin with, -reply-, and 32 hexadecimal digits",
        CALLBACK: "an https URL of a host by its name, with port 443 and without a user or a fragment",
    }
)

ProviderName = Annotated[str, Field(pattern=PROVIDER, max_length=40)]
ModelName = Annotated[str, Field(pattern=MODEL)]


class Strict(BaseModel):
    """No unknown fields, no silent conversions, no mutation.

    Built when it is first used: most functions that import requests read none from a publisher.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class TtsInput(Strict):
    """Text to speak."""

    kind: ClassVar[Kind] = Kind.TTS

    text: str = Field(
        min_length=1,
        max_length=100_000,
        pattern=VISIBLE,
        description="What to say; spoken in parts and joined where no model takes it at once.",
    )
    voice: str | None = Field(
        default=None,
        pattern=VOICE,
        description="A name of the voice book, such as alloy, which every provider can play; or a vendor's own id, "
        "for which only those are asked that have it. The book's default for the language when absent. "
        "To name one for each provider, set options.<provider>.voice.",
    )
    voice_policy: Literal["equivalent", "exact"] = Field(
        default="equivalent",
        description="Of a voice named by the book. equivalent: a provider without it speaks with one of the same "
        "language and gender. exact: only those are asked that have the voice itself.",
    )
    language: str | None = Field(
        default=None, pattern=LANGUAGE, description=f"{IN_WORDS[LANGUAGE]}; heard from the text when absent."
    )
    speed: float = Field(default=1.0, ge=0.25, le=4.0, description="Times the voice's natural pace.")
    format: Literal["mp3", "wav", "opus", "aac", "flac", "pcm"] = Field(
        default="mp3", description="File format; made of another one where the provider does not make it."
    )
    sample_rate: Literal[8000, 16000, 22050, 24000, 32000, 44100, 48000] | None = Field(
        default=None,
        description="Samples per second; the provider's when absent, and 24000 for pcm. An opus file always plays at "
        "48000 and then holds no higher tones than the rate allows.",
    )
    loudness: float | None = Field(
        default=None,
        ge=-36,
        le=-10,
        description="Integrated loudness to level the speech to, in LUFS, such as -16; as the provider made it when "
        "absent.",
    )
    timestamps: Literal["word", "sentence"] | None = Field(
        default=None,
        description="Adds when each word or sentence is heard, as three further outputs: JSON, SRT and VTT. A provider "
        "that does not tell it is not asked.",
    )
    instructions: str | None = Field(
        default=None,
        min_length=1,
        max_length=4096,
        description="How to say it, such as 'calm, slowly'; models that take none leave it out.",
    )


class ImageInput(Strict):
    """A picture to draw."""

    kind: ClassVar[Kind] = Kind.IMAGE

    prompt: str = Field(
        min_length=1, max_length=32_000, pattern=VISIBLE, description="What to draw. Some models take less."
    )
    size: str = Field(default="1024x1024", pattern=SIZE, description=IN_WORDS[SIZE])
    n: int = Field(default=1, ge=1, le=10, description="How many pictures, each an output of its own.")
    quality: Literal["auto", "low", "medium", "high"] = Field(
        default="auto", description="Decides the price with providers that offer qualities; others ignore it."
    )
    format: Literal["png", "jpeg", "webp"] = Field(
        default="png", description="File format; a provider that does not make it is not asked."
    )


class VideoInput(Strict):
    """A clip to film."""

    kind: ClassVar[Kind] = Kind.VIDEO

    prompt: str = Field(min_length=1, max_length=2500, pattern=VISIBLE, description="What happens in the clip.")
    duration: int = Field(default=5, ge=3, le=15, description="Seconds.")
    aspect_ratio: Literal["16:9", "9:16", "1:1"] = Field(default="16:9", description="Width to height.")
    mode: Literal["std", "pro"] = Field(default="std", description="Standard or professional quality, at its price.")
    image_url: str | None = Field(
        default=None,
        pattern=HTTPS,
        max_length=2048,
        description="A picture to begin with; filmed from the prompt only when absent.",
    )


class AudioInput(Strict):
    """Music or a sound effect."""

    kind: ClassVar[Kind] = Kind.AUDIO

    prompt: str = Field(min_length=1, max_length=2500, pattern=VISIBLE, description="What to hear.")
    duration: float | None = Field(
        default=None, ge=0.5, le=600, description="Seconds; the provider's default when absent."
    )
    type: Literal["music", "sfx"] = Field(default="music", description="Music or a sound effect.")


class BaseRequest(Strict):
    """What every kind has in common."""

    request_id: str | None = Field(
        default=None,
        pattern=REQUEST_ID,
        description=f"The publisher's idempotency key: {IN_WORDS[REQUEST_ID]}. The SQS message id when absent.",
    )
    providers: Annotated[list[ProviderName], Field(min_length=1, max_length=16)] | None = Field(
        default=None, description="Allowed providers, in order, each once; all that serve the kind when absent."
    )
    strategy: Strategy = Field(
        default=Strategy.FASTEST,
        description="fastest: by expected latency. ordered: as listed in providers. cheapest: by expected price. "
        "all: every provider, one result each.",
    )
    model: dict[ProviderName, ModelName] = Field(
        default_factory=dict, max_length=16, description="Model by provider; the catalogue's default when absent."
    )
    options: Annotated[
        dict[ProviderName, dict[str, JsonValue]], Field(max_length=16), AfterValidator(json_within(OPTIONS_LIMIT_BYTES))
    ] = Field(
        default_factory=dict,
        description="Vendor fields by provider, of those that the list of its model allows, each at its price; "
        f"at most {OPTIONS_LIMIT_BYTES} bytes of JSON in UTF-8.",
    )
    timeout_seconds: int | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="Seconds from publishing after which the job is expired; an hour for tts and image, "
        "four for video and audio, when absent.",
    )
    on_ambiguous: OnAmbiguous = Field(
        default=OnAmbiguous.FAIL,
        description="What to do when a call may have been paid for but its answer was lost: fail, or resubmit "
        "and perhaps pay twice.",
    )
    max_cost_usd: float | None = Field(
        default=None,
        gt=0,
        le=100_000,
        allow_inf_nan=False,
        description="What the request may cost at most, US dollars: a provider whose estimate is above it is not "
        "asked, nor one that would follow a purchase in vain beyond it. With strategy all it bounds the sum. "
        "No bound when absent.",
    )
    cache_seconds: int | None = Field(
        default=None,
        ge=1,
        le=2_592_000,
        description="Lets the file of an identical request of the same tenant do, if it was delivered so many seconds "
        "ago at most, at no cost; one that is being bought is waited for. Bought in any case when absent.",
    )
    on_budget: Literal["fail", "wait"] | None = Field(
        default=None,
        description="What to do when the budget of the tenant or the stage does not allow it: fail, or wait for the "
        "next day or month, if that begins before its deadline. fail when absent.",
    )
    tenant: str | None = Field(
        default=None,
        pattern=TENANT,
        description=f"Whom it is for: {IN_WORDS[TENANT]}. An attribute of the result event, for filter policies.",
    )
    metadata: Annotated[dict[str, JsonValue], AfterValidator(json_within(METADATA_LIMIT_BYTES))] = Field(
        default_factory=dict,
        description=f"Echoed in the result; at most {METADATA_LIMIT_BYTES} bytes of JSON in UTF-8.",
    )
    client: str | None = Field(
        default=None,
        pattern=REQUEST_ID,
        description=f"Who publishes: {IN_WORDS[REQUEST_ID]}. An attribute of the result event, for filter policies.",
    )
    reply_to: str | None = Field(
        default=None,
        pattern=REPLY_TO,
        description="A queue of this stack that is sent the result event besides, once and without a second try: "
        f"{IN_WORDS[REPLY_TO]}. What is not heard there is asked from the API.",
    )
    callback_url: str | None = Field(
        default=None,
        pattern=CALLBACK,
        max_length=1024,
        description="Who is told how it ended, by Standard Webhooks (docs/callbacks.md): "
        f"{IN_WORDS[CALLBACK]}. Its host is one that the deployment allows.",
    )
    callback_body: Literal["full", "thin"] | None = Field(
        default=None, description="What it is told: the whole result event, or its ids. full when absent."
    )


class TtsRequest(BaseRequest):
    """Speech."""

    kind: Literal[Kind.TTS] = Field(description="Tells the kinds of request apart.")
    input: TtsInput = Field(description="What to say, and how.")


class ImageRequest(BaseRequest):
    """Pictures."""

    kind: Literal[Kind.IMAGE] = Field(description="Tells the kinds of request apart.")
    input: ImageInput = Field(description="What to draw, and how.")


class VideoRequest(BaseRequest):
    """A video clip."""

    kind: Literal[Kind.VIDEO] = Field(description="Tells the kinds of request apart.")
    input: VideoInput = Field(description="What to film, and how.")


class AudioRequest(BaseRequest):
    """Music or sound effects."""

    kind: Literal[Kind.AUDIO] = Field(description="Tells the kinds of request apart.")
    input: AudioInput = Field(description="What to compose, and how.")


MediaInput = TtsInput | ImageInput | VideoInput | AudioInput
MediaRequest = Annotated[TtsRequest | ImageRequest | VideoRequest | AudioRequest, Field(discriminator="kind")]
MEDIA_REQUEST: TypeAdapter[MediaRequest] = TypeAdapter(MediaRequest, config=ConfigDict(defer_build=True))
