"""What webhooks need of the world."""

from __future__ import annotations

from typing import Protocol


class WaitingTasks(Protocol):
    """Executions that wait to be told, by what the vendor calls the job. Both methods raise `StoreUnavailable`."""

    def token(self, request_id: str) -> str | None:
        """The task token of the one that waits for this job, or has waited; None when there never was one."""

    def wake(self, token: str) -> bool:
        """Let it go on; False when it waits no more, which is no error."""


class SignatureCheck(Protocol):
    """Ed25519."""

    def __call__(self, key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the key's owner signed the message."""
