"""What a provider is made of: plain values in, plain values out.

A provider builds requests without a credential; `sign` adds it at the moment of the call, so that a request can be
logged, compared and replayed without a secret in it.

Providers of long jobs submit, poll and fetch, and look up and cancel where the vendor can. A *task* is the vendor's
name of the job: a few strings that are kept in the job record and in the execution. It never holds a key, and never a
host: paths only, so that a key can't be sent elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from mediarelay.http.messages import HttpReply, HttpRequest, Stretch
from mediarelay.providers.catalogue import Model
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import Failure

# Only for annotations: code that makes a plain HTTP request builds no model of a media request.
if TYPE_CHECKING:
    from datetime import date

    from mediarelay.audio.times import Span
    from mediarelay.request.model import MediaInput
    from mediarelay.vocabulary.kinds import Kind


@frozen
class Voice:
    """The voice that is to speak, as the voice book chose it.

    Attributes:
        id: The vendor's own id; whether the provider has it is for the provider to judge.
        account: The account that has it, whose keys are asked first; None when any may have it.
        in_book: Whether the voice book lists it.
        substituted: Whether it speaks in place of a voice of the book that was asked for by name.
        retires: The day it stops speaking, UTC; None when none is known.
    """

    id: str
    account: str | None = None
    in_book: bool = False
    substituted: bool = False
    retires: date | None = None


@frozen
class ProviderCall:
    """One request to one provider.

    Attributes:
        request_id: The job's id, for vendors that take an idempotency or external id.
        input: The validated input of the media request.
        model: The catalogue's entry of the model to use; its prices are those with the options.
        options: Vendor fields of the request, merged over what the module derives from the input.
        voice: Who speaks; None unless the input is speech.
        source_format: What to ask a vendor of speech for, where the format of the input is then made of it here; None
            where the vendor makes that.
        least_usd: What it is counted as at least, where it has an option whose effect on the price is not known.
    """

    request_id: str
    input: MediaInput
    model: Model
    options: Mapping[str, Any] = field(default_factory=dict)
    voice: Voice | None = None
    source_format: str | None = None
    least_usd: float = 0.0


@frozen
class StreamedBody:
    """The media is the response body itself."""


@frozen
class InlineMedia:
    """The media came inside the JSON: `data`, and `rest` in order behind it."""

    data: bytes | Stretch = field(repr=False)
    rest: tuple[bytes | Stretch, ...] = field(default=(), repr=False)


@frozen
class RemoteMedia:
    """The media is at a URL of the vendor's media host; it is fetched without credentials."""

    url: str


MediaSource = StreamedBody | InlineMedia | RemoteMedia


@frozen
class Delivery:
    """A paid success.

    Attributes:
        media: Each output, in order; never empty.
        format: The format that was asked for (`mp3`, `png`, …); the bytes are verified against it.
        cost_usd: From the vendor's own usage figures where it sends them, else from the request.
        vendor_request_id: To be quoted in a support ticket; None when the vendor sends none.
        times: When each piece of a text is heard, all of it in order; None where that did not come with the speech.
    """

    media: tuple[MediaSource, ...]
    format: str
    cost_usd: float
    vendor_request_id: str | None = None
    times: tuple[Span, ...] | None = None


@frozen
class Timed:
    """When each piece of a text is heard, all of it in order, and what it cost to learn that."""

    times: tuple[Span, ...]
    cost_usd: float


class Capability(Protocol):
    """One capability of a vendor: the unit of routing and health, however its results come."""

    @property
    def name(self) -> str:
        """Such as `openai-tts`."""

    @property
    def vendor(self) -> str:
        """The owner of the account, `openai elevenlabs fal …`; names the key pool."""

    @property
    def host(self) -> str:
        """Which of the vendor's addresses it is called at; its manifest has them by this name."""

    @property
    def kind(self) -> Kind:
        """What it makes."""

    def refusal(self, call: ProviderCall) -> str | None:
        """Return why this provider cannot serve the call, naming the field and what is allowed; None when it can."""

    def build_request(self, call: ProviderCall) -> HttpRequest:
        """Build the vendor's wire form, without a credential. The call has passed `refusal`."""

    def sign(self, request: HttpRequest, credential: str, *, now: float) -> HttpRequest:
        """Add the credential: a key's secret, or what `FunctionRole.credential` made of the function's role.

        The request has its address. `now` is in unix seconds, for vendors whose signature holds a moment.
        """

    def estimate_usd(self, call: ProviderCall) -> float:
        """Estimate the price before the call, for `cheapest` and for vendors that send no usage; at least the call's
        `least_usd`.
        """


@runtime_checkable
class Provider(Capability, Protocol):
    """A capability that delivers in the answer to the call itself."""

    def streams(self, status: int, headers: Mapping[str, str]) -> bool:
        """Tell whether an answer with this status and these headers carries the media as its body."""

    def parse_response(self, reply: HttpReply, call: ProviderCall) -> Delivery | Accepted | Failure:
        """Classify an answer by body marker first, status second. Only a `FollowedProvider` accepts."""


@runtime_checkable
class SpeechProvider(Provider, Protocol):
    """A provider of speech. A request may ask for any format: what the vendor doesn't make is made of what it does."""

    @property
    def formats(self) -> tuple[str, ...]:
        """Which of the request's formats the vendor makes; all when empty."""


@runtime_checkable
class SpeaksInContext(Protocol):
    """A capability that speaks better when it knows what is said before and after."""

    def takes_context(self, model: str) -> bool:
        """Tell whether that model takes the options `previous_text` and `next_text`."""


@runtime_checkable
class TimedProvider(SpeechProvider, Protocol):
    """A provider of speech whose vendor tells when each word is heard: with the speech, or in a further answer."""

    def times_request(self, call: ProviderCall) -> HttpRequest | None:
        """Ask for the times in a further call, which may cost as well; None where they come with the speech."""

    def parse_times(self, reply: HttpReply, call: ProviderCall) -> Timed | Failure:
        """Classify the answer to that."""

    def times_usd(self, call: ProviderCall) -> float:
        """Estimate the price of that call; it is part of `estimate_usd`."""


# --- jobs ---------------------------------------------------------------------------------------------------------

Task = Mapping[str, str]


@frozen
class Accepted:
    """The vendor took the job, and will charge for it."""

    task: Task


@frozen
class Absent:
    """The vendor knows no such job."""


@frozen
class Running:
    """The job is queued or running."""


@frozen
class Ready:
    """The job is done; its result has to be asked for with `result_request`."""


@frozen
class Finished:
    """The job succeeded.

    Attributes:
        media: Each output, in order; never empty.
        formats: The formats that the bytes may have; the bytes themselves decide.
        cost_usd: From the vendor's own figure where it sends one, else from the request.
    """

    media: tuple[RemoteMedia, ...]
    formats: tuple[str, ...]
    cost_usd: float


@frozen
class JobFailed:
    """The job itself failed, as opposed to the question about it."""

    failure: Failure


# A bare Failure means that the question failed; it says nothing about the job.
JobAnswer = Running | Ready | Finished | JobFailed | Absent | Failure


@runtime_checkable
class FollowedProvider(Provider, Protocol):
    """A provider that delivers in its answer, or accepts and delivers seconds later: the same worker follows up."""

    def held(self, request: HttpRequest, seconds: float) -> HttpRequest:
        """Ask for the answer in time: what is not done in so many seconds is to be accepted before they are over."""

    def poll_request(self, task: Task) -> HttpRequest:
        """Ask how the job is doing."""

    def parse_poll(self, reply: HttpReply, call: ProviderCall) -> JobAnswer:
        """Classify the answer to a poll, and to a cancellation."""

    def cancel_request(self, task: Task) -> HttpRequest:
        """Stop the job."""


@runtime_checkable
class JobProvider(Capability, Protocol):
    """A capability whose results take minutes: `build_request` submits, the rest follows up with the same key."""

    @property
    def media_hosts(self) -> tuple[str, ...]:
        """Domains of its results, subdomains included."""

    @property
    def result_seconds(self) -> float:
        """How long the vendor keeps a result, in seconds."""

    @property
    def stale_credential_codes(self) -> frozenset[str]:
        """Failure codes that ask for a credential signed anew, of the same key; empty where none is signed."""

    @property
    def has_webhooks(self) -> bool:
        """Whether the vendor calls back when a job is over; such a task has a `request_id`, which the call names."""

    @property
    def charges_stopped(self) -> bool:
        """Whether the vendor charges for a job that was stopped while it ran."""

    def with_webhook(self, request: HttpRequest, url: str) -> HttpRequest:
        """Return the submit with a request to call that URL at the end; unchanged where there are no webhooks."""

    def parse_submit(self, reply: HttpReply, call: ProviderCall) -> Accepted | Failure:
        """Classify the answer to a submit. An answer after which the job may have been accepted is `timeout_sent`."""

    def poll_request(self, task: Task) -> HttpRequest:
        """Ask how the job is doing."""

    def parse_poll(self, reply: HttpReply, call: ProviderCall) -> JobAnswer:
        """Classify the answer to a poll."""

    def result_request(self, task: Task) -> HttpRequest:
        """Ask for the result of a job that is `Ready`."""

    def parse_result(self, reply: HttpReply, call: ProviderCall) -> Finished | JobFailed | Absent | Failure:
        """Classify the answer to that."""

    def lookup_request(self, call: ProviderCall) -> HttpRequest | None:
        """Ask whether a submit of this call arrived; None where the vendor cannot tell."""

    def parse_lookup(self, reply: HttpReply, call: ProviderCall) -> Accepted | Absent | Failure:
        """Classify the answer to that."""

    def cancel_request(self, task: Task) -> HttpRequest | None:
        """Stop the job; None where the vendor cannot."""
