"""The media request: what a publisher puts on the queue."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, model_validator
from pydantic_core import PydanticCustomError, to_json

from mediarelay.contracts.kinds import Kind, OnAmbiguous, Strategy

METADATA_LIMIT_BYTES = 2048
OPTIONS_LIMIT_BYTES = 4096

ProviderName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


class Strict(BaseModel):
    """No unknown fields, no silent conversions, no mutation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TtsInput(Strict):
    """Text to speak. `voice` is a provider's own name or id; without one each provider uses its default voice."""

    text: str = Field(min_length=1, max_length=100_000)
    voice: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    language: str | None = Field(default=None, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")
    speed: float = Field(default=1.0, ge=0.25, le=4.0)
    format: Literal["mp3", "wav", "opus", "aac", "flac", "pcm"] = "mp3"
    instructions: str | None = Field(default=None, min_length=1, max_length=4096)


class ImageInput(Strict):
    """A picture to draw. `size` is WIDTHxHEIGHT in pixels or `auto`."""

    prompt: str = Field(min_length=1, max_length=32_000)
    size: str = Field(default="1024x1024", pattern=r"^(auto|[1-9][0-9]{1,3}x[1-9][0-9]{1,3})$")
    n: int = Field(default=1, ge=1, le=10)
    quality: Literal["auto", "low", "medium", "high"] = "auto"
    format: Literal["png", "jpeg", "webp"] = "png"


class VideoInput(Strict):
    """A clip to film; `duration` in seconds."""

    prompt: str = Field(min_length=1, max_length=2500)
    duration: int = Field(default=5, ge=3, le=15)
    aspect_ratio: Literal["16:9", "9:16", "1:1"] = "16:9"
    mode: Literal["std", "pro"] = "std"
    image_url: str | None = Field(default=None, pattern=r"^https://", max_length=2048)


class AudioInput(Strict):
    """Music or a sound effect; `duration` in seconds."""

    prompt: str = Field(min_length=1, max_length=2500)
    duration: float | None = Field(default=None, ge=0.5, le=600)
    type: Literal["music", "sfx"] = "music"


class BaseRequest(Strict):
    """What every kind has in common."""

    request_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="The client's idempotency key; the SQS message id when absent.",
    )
    providers: list[ProviderName] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="Allowed providers, in order; all of the kind when absent.",
    )
    strategy: Strategy = Strategy.FASTEST
    model: dict[ProviderName, Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        default_factory=dict, max_length=16, description="Model by provider; the catalogue's default when absent."
    )
    options: dict[ProviderName, dict[str, JsonValue]] = Field(
        default_factory=dict, max_length=16, description="Vendor fields by provider, passed on as they are."
    )
    timeout_seconds: int | None = Field(
        default=None, ge=1, le=86_400, description="Seconds from publishing after which the job is expired."
    )
    on_ambiguous: OnAmbiguous = Field(
        default=OnAmbiguous.FAIL, description="Whether a call whose answer was lost may be bought again."
    )
    tenant: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,63}$")
    metadata: dict[str, JsonValue] = Field(
        default_factory=dict, description="Echoed in the result; at most 2048 bytes of JSON."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        for name, limit in (("metadata", METADATA_LIMIT_BYTES), ("options", OPTIONS_LIMIT_BYTES)):
            size = len(to_json(getattr(self, name)))
            if size > limit:
                raise PydanticCustomError(
                    "too_large",
                    "{field} is {size} bytes of JSON; at most {limit} are allowed",
                    {"field": name, "size": size, "limit": limit},
                )
        if self.providers and len(set(self.providers)) != len(self.providers):
            raise PydanticCustomError("duplicate", "providers names one provider twice", {})
        return self


class TtsRequest(BaseRequest):
    """Speech."""

    kind: Literal[Kind.TTS]
    input: TtsInput


class ImageRequest(BaseRequest):
    """Pictures."""

    kind: Literal[Kind.IMAGE]
    input: ImageInput


class VideoRequest(BaseRequest):
    """A video clip."""

    kind: Literal[Kind.VIDEO]
    input: VideoInput


class AudioRequest(BaseRequest):
    """Music or sound effects."""

    kind: Literal[Kind.AUDIO]
    input: AudioInput


MediaInput = TtsInput | ImageInput | VideoInput | AudioInput
MediaRequest = Annotated[TtsRequest | ImageRequest | VideoRequest | AudioRequest, Field(discriminator="kind")]
MEDIA_REQUEST: TypeAdapter[MediaRequest] = TypeAdapter(MediaRequest)
