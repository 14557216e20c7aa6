"""What a provider module is made of: plain values in, plain values out.

A provider never sees a key in a request it builds: `auth_headers` is asked for separately, at the moment of the call,
so that a request can be logged, compared and replayed without a secret in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.catalogue import Model
from mediarelay.vocabulary.outcome import Failure

# Only for annotations: whoever makes a plain HTTP request builds no model of a media request.
if TYPE_CHECKING:
    from mediarelay.request.model import MediaInput
    from mediarelay.vocabulary.kinds import Kind


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """One thing to ask of one provider.

    Attributes:
        request_id: The job's id, for vendors that take an idempotency or external id.
        input: The validated input of the media request.
        model: The catalogue's entry of the model to use.
        options: Vendor fields of the request, merged over what the module derives from the input.
    """

    request_id: str
    input: MediaInput
    model: Model
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StreamedBody:
    """The media is the response body itself."""


@dataclass(frozen=True, slots=True)
class InlineMedia:
    """The media came inside the JSON."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RemoteMedia:
    """The media lies at a URL of the vendor's media host; fetched without credentials."""

    url: str


MediaSource = StreamedBody | InlineMedia | RemoteMedia


@dataclass(frozen=True, slots=True)
class Delivery:
    """A paid success.

    Attributes:
        media: Where each output is, in order; never empty.
        format: What was asked for (`mp3`, `png`, …); the bytes are verified against it.
        cost_usd: From the vendor's own usage figures where it sends them, else from the request.
        vendor_request_id: For a support ticket; None when the vendor sends none.
    """

    media: tuple[MediaSource, ...]
    format: str
    cost_usd: float
    vendor_request_id: str | None = None


class Capability(Protocol):
    """vendor + capability: the unit of routing and health, however its results come."""

    @property
    def name(self) -> str:
        """Such as `openai-tts`."""

    @property
    def vendor(self) -> str:
        """Who owns the account: `openai elevenlabs fal …`; names the key pool."""

    @property
    def kind(self) -> Kind:
        """What it makes."""

    @property
    def base_url_variable(self) -> str:
        """Environment variable that overrides the base URL."""

    @property
    def default_base_url(self) -> str:
        """The vendor's own host."""

    def refusal(self, call: ProviderCall) -> str | None:
        """Why this provider cannot serve the call, naming the field and what is allowed; None when it can."""

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """The vendor's wire form. The call has passed `refusal`."""

    def auth_headers(self, secret: str, *, now: float) -> Mapping[str, str]:
        """The credential as headers; `now` in unix seconds, for vendors that sign."""

    def estimate_usd(self, call: ProviderCall) -> float:
        """The price before the call, for `cheapest` and for vendors that send no usage."""


@runtime_checkable
class Provider(Capability, Protocol):
    """A capability that delivers in the answer to the call itself."""

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether an answer with this status and these headers carries the media as its body."""

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Failure:
        """Classify an answer by body marker first, status second."""
