"""Every error of ours, with its facts as attributes.

    MediaRelayError
    ├── RequestRejected      the publisher's: this message can never be served
    ├── StoreUnavailable     ours: a store refused or could not be reached; the message is retried
    ├── OverBudget           the tenant's or the stage's: the budget does not allow the job
    └── Unreachable          the provider's: no usable answer came back over the wire

What a provider *answers* is never an exception: it is an `Outcome`.
"""

from __future__ import annotations


class MediaRelayError(Exception):
    """Root of the tree; catch it to catch everything this package raises on purpose."""


class RequestRejected(MediaRelayError):
    """The message can never be served.

    Attributes:
        code: Stable, such as `invalid_request`.
        message: Names the field and what is allowed.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{code}: {message}")


class StoreUnavailable(MediaRelayError):
    """A store of ours refused or could not be reached, after the adapter's own retries."""

    def __init__(self, store: str, operation: str, reason: str) -> None:
        self.store = store
        self.operation = operation
        self.reason = reason
        super().__init__(f"{store} could not {operation}: {reason}")


class OverBudget(MediaRelayError):
    """A budget does not allow the job.

    Attributes:
        message: Which, and what is left of it.
        ends_at: When its window ends, unix seconds.
    """

    def __init__(self, message: str, ends_at: float) -> None:
        self.message = message
        self.ends_at = ends_at
        super().__init__(message)


class Unpublished(StoreUnavailable):
    """A topic took the first `published` messages of several; some of the others may have been taken as well."""

    def __init__(self, cause: StoreUnavailable, published: int) -> None:
        super().__init__(cause.store, cause.operation, cause.reason)
        self.published = published


class Unreachable(MediaRelayError):
    """The provider gave no usable answer.

    Attributes:
        sent: Whether the request may have reached the provider, and so may have been paid for.
        code: `connect_failed`, `connect_timeout`, `connection_lost`, `read_timeout`, `truncated_body`, `too_large` or
            `forbidden_address`.
    """

    def __init__(self, code: str, reason: str, *, sent: bool) -> None:
        self.code = code
        self.reason = reason
        self.sent = sent
        super().__init__(f"{code}: {reason}")
