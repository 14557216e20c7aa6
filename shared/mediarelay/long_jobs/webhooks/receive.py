"""A vendor says that a job is over: check that it is the vendor, and wake the execution that waits for it.

Nothing in the call is used: the execution asks the vendor itself. So a call that is lost, late, repeated or
invented costs a poll at most.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import Enum

from mediarelay.long_jobs.webhooks.fal import BODY_LIMIT_BYTES, SignedCall, signed_call
from mediarelay.long_jobs.webhooks.ports import SignatureCheck, WaitingTasks
from mediarelay.long_jobs.webhooks.signing_keys import WebhookKeys
from mediarelay.vocabulary.clock import Clock

logger = logging.getLogger(__name__)


class WebhookVerdict(Enum):
    """The answer, as its HTTP status. A caller that is not the vendor learns nothing but that."""

    TAKEN = 204
    REFUSED = 401
    TOO_LARGE = 413


class WebhookService:
    """Receives webhooks. One per worker."""

    def __init__(self, keys: WebhookKeys, tasks: WaitingTasks, *, verify: SignatureCheck, clock: Clock) -> None:
        self._keys = keys
        self._tasks = tasks
        self._verify = verify
        self._clock = clock

    def receive(self, headers: Mapping[str, str], body: bytes) -> WebhookVerdict:
        """Take one delivery; header names in lower case.

        Raises:
            StoreUnavailable: Keys, table or state machine cannot be reached; the vendor delivers again.
        """
        if len(body) > BODY_LIMIT_BYTES:
            return WebhookVerdict.TOO_LARGE
        call = signed_call(headers, body, now=self._clock.now())
        if call is None or not self._authentic(call):
            return WebhookVerdict.REFUSED
        token = self._tasks.token(call.request_id)
        woken = token is not None and self._tasks.wake(token)
        logger.info("webhook", extra={"vendor_request_id": call.request_id, "woken": woken})
        return WebhookVerdict.TAKEN

    def _authentic(self, call: SignedCall) -> bool:
        """Check the signature by the keys we know, or by ones that are new at the vendor."""
        return any(
            self._verify(key, call.message, call.signature)
            for keys in (self._keys.known, self._keys.renewed)
            for key in keys()
        )
