"""The closed vocabularies that cross a boundary.

A copy of shared/mediarelay/vocabulary/kinds.py, made by tools.client_models.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What a publisher asks for."""

    TTS = "tts"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"


LONG_KINDS: Final = frozenset({Kind.VIDEO, Kind.AUDIO})  # made by jobs that take minutes


class Strategy(StrEnum):
    """How a provider is chosen among those the request allows."""

    FASTEST = "fastest"
    ORDERED = "ordered"
    CHEAPEST = "cheapest"
    ALL = "all"


class OnAmbiguous(StrEnum):
    """What to do when a call may have been paid for but its answer was lost."""

    FAIL = "fail"
    RESUBMIT = "resubmit"


class JobStatus(StrEnum):
    """The status of a job. The last four are settled; only a rejected id may be used again, by a corrected request."""

    QUEUED = "queued"
    RUNNING = "running"
    DEFERRED = "deferred"
    POLLING = "polling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def settled(self) -> bool:
        """Whether the job has ended for good."""
        return self in SETTLED


SETTLED = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.REJECTED, JobStatus.EXPIRED})
UNSETTLED = tuple(status for status in JobStatus if status not in SETTLED)


class SpendingState(StrEnum):
    """What is known of a purchase."""

    SENDING = "sending"
    CHARGED = "charged"
    NOT_CHARGED = "not_charged"
    UNKNOWN = "unknown"


class SubmitState(StrEnum):
    """What is known of the newest submit."""

    NOT_SENT = "not_sent"
    SENT_UNKNOWN = "sent_unknown"
    ACCEPTED = "accepted"
