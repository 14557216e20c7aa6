"""The closed vocabulary of outcomes: what one attempt came to, whose fault it is and what follows.

The table below is the only place that says what the dispatcher does next; provider modules choose an outcome, and
nothing else interprets a status code.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from mediarelay.vocabulary.frozen import frozen

# Only for an annotation: an import of the outcomes need not bring the limits along.
if TYPE_CHECKING:
    from mediarelay.vocabulary.limit import Limit


class Fault(StrEnum):
    """Against whom an outcome counts."""

    KEY = "key"
    ACCOUNT = "account"
    PROVIDER = "provider"
    CALLER = "caller"
    NOBODY = "nobody"


class Follow(StrEnum):
    """What the dispatcher does after an outcome."""

    SETTLE = "settle"
    ROTATE = "rotate"  # the next key of the same provider, at once
    FALL_BACK = "fall_back"  # the next provider
    STOP = "stop"  # settle as failed: no other key or provider would change the answer
    AMBIGUOUS = "ambiguous"  # perhaps paid: settle as failed unless the caller allowed a second purchase


class Outcome(StrEnum):
    """What an attempt came to."""

    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    THROTTLED = "throttled"
    QUOTA_EXHAUSTED = "quota_exhausted"
    KEY_REJECTED = "key_rejected"
    PERMISSION_DENIED = "permission_denied"
    CONTENT_REJECTED = "content_rejected"
    INVALID_REQUEST = "invalid_request"
    MODEL_GONE = "model_gone"
    PROVIDER_FAULT = "provider_fault"
    OVERLOADED = "overloaded"
    TIMEOUT_UNSENT = "timeout_unsent"
    TIMEOUT_SENT = "timeout_sent"
    UNUSABLE_DELIVERY = "unusable_delivery"  # paid, and nothing in it can be used

    @property
    def fault(self) -> Fault:
        """Against whom this counts."""
        return MEANINGS[self].fault

    @property
    def follow(self) -> Follow:
        """What the dispatcher does next."""
        return MEANINGS[self].follow

    @property
    def again(self) -> bool:
        """Whether the same provider may be asked again for the same job."""
        return MEANINGS[self].again


@frozen
class Meaning:
    """One row of the table."""

    fault: Fault
    follow: Follow
    again: bool = True


MEANINGS: Final[Mapping[Outcome, Meaning]] = MappingProxyType(
    {
        Outcome.DELIVERED: Meaning(Fault.NOBODY, Follow.SETTLE),
        Outcome.ACCEPTED: Meaning(Fault.NOBODY, Follow.SETTLE),
        Outcome.THROTTLED: Meaning(Fault.ACCOUNT, Follow.ROTATE),
        Outcome.QUOTA_EXHAUSTED: Meaning(Fault.ACCOUNT, Follow.ROTATE),
        Outcome.KEY_REJECTED: Meaning(Fault.KEY, Follow.ROTATE),
        Outcome.PERMISSION_DENIED: Meaning(Fault.KEY, Follow.ROTATE),
        Outcome.CONTENT_REJECTED: Meaning(Fault.CALLER, Follow.STOP),
        # A vendor's complaint about its own range, voice or size: others may take what this one refused.
        Outcome.INVALID_REQUEST: Meaning(Fault.CALLER, Follow.FALL_BACK, again=False),
        Outcome.MODEL_GONE: Meaning(Fault.NOBODY, Follow.FALL_BACK, again=False),
        Outcome.PROVIDER_FAULT: Meaning(Fault.PROVIDER, Follow.FALL_BACK),
        Outcome.OVERLOADED: Meaning(Fault.PROVIDER, Follow.FALL_BACK),
        Outcome.TIMEOUT_UNSENT: Meaning(Fault.PROVIDER, Follow.FALL_BACK),
        Outcome.TIMEOUT_SENT: Meaning(Fault.PROVIDER, Follow.AMBIGUOUS),
        Outcome.UNUSABLE_DELIVERY: Meaning(Fault.PROVIDER, Follow.FALL_BACK, again=False),
    }
)


@frozen
class Failure:
    """A failed attempt, classified.

    Attributes:
        outcome: The row of the table above.
        code: The vendor's own marker (`insufficient_quota`, `1302`) or a short name of ours; stable, never free text.
        message: The vendor's words, at most 300 characters; redacted by the caller before it leaves the process.
        status: HTTP status, or None when no answer came.
        wait_seconds: How long the vendor asked us to wait; None when it did not say.
        spreads: False when the vendor's word concerns this key alone although the outcome is an account's
            (a spend limit of one OpenAI project, a key's own credit cap).
        certain: False when no marker was recognised and the status alone was read: a guess benches no key for more
            than seconds.
        of_account: True when a refusal holds for the account that asked: another of the vendor's accounts may have what
            this one lacks, such as a voice or a model. No key is benched for it.
        limit: What a refusal for the rate says the account may do; None when it does not say.
        cost_usd: What the vendor probably charges although nothing of it can be used.
    """

    outcome: Outcome
    code: str
    message: str = ""
    status: int | None = None
    wait_seconds: float | None = None
    spreads: bool = True
    certain: bool = True
    of_account: bool = False
    limit: Limit | None = None
    cost_usd: float = 0.0

    @property
    def follow(self) -> Follow:
        """What the dispatcher does next: a refusal by one account sends it to another before the next provider."""
        return Follow.ROTATE if self.of_account else self.outcome.follow

    @property
    def perhaps_paid(self) -> bool:
        """Whether the vendor charges for it, or may."""
        return self.outcome.follow is Follow.AMBIGUOUS or self.cost_usd > 0

    @property
    def taken(self) -> bool:
        """Whether the answer that was lost had begun as a success: the vendor has taken the request."""
        return self.outcome.follow is Follow.AMBIGUOUS and self.status in _SUCCESSES


_SUCCESSES: Final = range(200, 300)
PROVIDER_FAULTS: Final = frozenset(outcome for outcome in Outcome if outcome.fault is Fault.PROVIDER)
