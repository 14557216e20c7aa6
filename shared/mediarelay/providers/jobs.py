"""What a provider of long jobs is made of: submit, ask, collect, and where the vendor has them, look up and cancel.

Pure like every provider. A *task* is what the vendor calls the job: a few strings that are kept in the job record and
travel with the execution. It never holds a key, and never a host: paths only, so that a key can't be sent elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.providers.api import Capability, ProviderCall, RemoteMedia
from mediarelay.vocabulary.outcome import Failure

Task = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The vendor took the job, and will charge for it."""

    task: Task


@dataclass(frozen=True, slots=True)
class Absent:
    """The vendor knows no such job."""


@dataclass(frozen=True, slots=True)
class Running:
    """The job is queued or at work."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The job is done; its result has to be asked for with `result_request`."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The job succeeded.

    Attributes:
        media: Where each output lies, in order; never empty.
        formats: Which formats the bytes may be of; they say it themselves.
        cost_usd: From the vendor's own figure where it sends one, else from the request.
    """

    media: tuple[RemoteMedia, ...]
    formats: tuple[str, ...]
    cost_usd: float


@dataclass(frozen=True, slots=True)
class JobFailed:
    """The job itself came to nothing, as opposed to the question about it."""

    failure: Failure


# A bare Failure means that the question went wrong and says nothing about the job.
JobAnswer = Running | Ready | Finished | JobFailed | Absent | Failure


@runtime_checkable
class JobProvider(Capability, Protocol):
    """A capability whose results take minutes: `build_request` submits, the rest follows up with the same key."""

    @property
    def media_hosts(self) -> tuple[str, ...]:
        """Domains that its results lie on, subdomains included."""

    @property
    def result_seconds(self) -> float:
        """How long the vendor keeps a result, in seconds."""

    @property
    def stale_credential_codes(self) -> frozenset[str]:
        """Failure codes that ask for a credential signed anew, of the same key; empty where none is signed."""

    @property
    def has_webhooks(self) -> bool:
        """Whether the vendor says by itself that a job is over; such a task has a `request_id`, which it names."""

    def with_webhook(self, request: HttpRequest, url: str) -> HttpRequest:
        """The submit, asking for a call to that URL at the end; as it is where there are no webhooks."""

    def parse_submit(self, reply: HttpReply, call: ProviderCall) -> Accepted | Failure:
        """Classify the answer to a submit. What may have been accepted, but does not say so, is `timeout_sent`."""

    def poll_request(self, task: Task) -> HttpRequest:
        """Ask how the job stands."""

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
