"""What webhooks need of the world."""

from __future__ import annotations

from typing import Protocol


class WaitingTasks(Protocol):
    """Executions that wait for a webhook, by the vendor's id of the job. Both methods raise `StoreUnavailable`."""

    def token(self, request_id: str) -> str | None:
        """Return the task token of the execution that waits, or has waited, for this job; None when none ever did."""

    def wake(self, token: str) -> bool:
        """Let the execution go on. Returns False when it no longer waits, which is no error."""


class SignatureCheck(Protocol):
    """Ed25519."""

    def __call__(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Check whether the key's owner signed the message."""
