"""What may be known of a key: the table of its states, and the verdicts that workers exchange.

Theory of operation
- Knowledge is kept per *scope*: who it concerns (one key, or every key of an account) and where (one provider, or the
  whole vendor). A rate limit concerns an account at a provider; an empty balance an account anywhere; a bad key itself
  anywhere; a missing permission itself at one provider. The table below has the states of one scope.
- Every piece of knowledge is a `KeyVerdict`. What a worker sees itself and what it learns from others are taken
  in alike: `keys.ledger.ScopeRecord.joined`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from mediarelay.vocabulary.errors import MediaRelayError
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.outcome import Outcome


class KeyStatus(StrEnum):
    """The status of a scope, from best to worst."""

    ACTIVE = "active"
    COOLING = "cooling"
    EXHAUSTED = "exhausted"
    REJECTED = "rejected"  # with a provider: this key may not use that provider
    DISABLED = "disabled"

    @property
    def severity(self) -> int:
        """0 for active, higher is worse."""
        return _SEVERITY[self]


_SEVERITY: Final = {status: rank for rank, status in enumerate(KeyStatus)}


class KeyEvent(StrEnum):
    """What can happen to a scope."""

    THROTTLED = "throttled"
    QUOTA_EXHAUSTED = "quota_exhausted"
    KEY_REJECTED = "key_rejected"
    PERMISSION_DENIED = "permission_denied"
    SUCCEEDED = "succeeded"
    WAITED = "waited"  # the deadline has passed
    DISABLED = "disabled"
    ENABLED = "enabled"


EVENT_OF: Final[Mapping[Outcome, KeyEvent]] = MappingProxyType(
    {
        Outcome.THROTTLED: KeyEvent.THROTTLED,
        Outcome.QUOTA_EXHAUSTED: KeyEvent.QUOTA_EXHAUSTED,
        Outcome.KEY_REJECTED: KeyEvent.KEY_REJECTED,
        Outcome.PERMISSION_DENIED: KeyEvent.PERMISSION_DENIED,
    }
)

_S, _E = KeyStatus, KeyEvent
_HARD: Final = {
    _E.QUOTA_EXHAUSTED: _S.EXHAUSTED,
    _E.KEY_REJECTED: _S.REJECTED,
    _E.PERMISSION_DENIED: _S.REJECTED,
    _E.DISABLED: _S.DISABLED,
    _E.SUCCEEDED: _S.ACTIVE,
}
_ROWS: Final[Mapping[KeyStatus, Mapping[KeyEvent, KeyStatus]]] = {
    _S.ACTIVE: {**_HARD, _E.THROTTLED: _S.COOLING},
    _S.COOLING: {**_HARD, _E.THROTTLED: _S.COOLING, _E.WAITED: _S.ACTIVE},
    _S.EXHAUSTED: {**_HARD, _E.THROTTLED: _S.EXHAUSTED, _E.WAITED: _S.ACTIVE, _E.ENABLED: _S.ACTIVE},
    # Waiting alone never brings a rejected key back: past its deadline it gets one trial, and a success frees it.
    _S.REJECTED: {**_HARD, _E.THROTTLED: _S.REJECTED, _E.ENABLED: _S.ACTIVE},
    # A disabled key drains its own jobs; whatever they report, only an operator brings it back.
    _S.DISABLED: {
        **dict.fromkeys((*EVENT_OF.values(), _E.SUCCEEDED), _S.DISABLED),
        _E.ENABLED: _S.ACTIVE,
    },
}
TRANSITIONS: Final[Mapping[tuple[KeyStatus, KeyEvent], KeyStatus]] = MappingProxyType(
    {(status, event): target for status, row in _ROWS.items() for event, target in row.items()}
)


class KeyPoolError(MediaRelayError):
    """Root of what a key pool raises: a mistake of the program or of an operator, never of a vendor."""


class IllegalMove(KeyPoolError):
    """The table has no such move; nothing was changed."""

    def __init__(self, status: KeyStatus, event: KeyEvent) -> None:
        super().__init__(f"a key that is {status} cannot be {event}")
        self.status = status
        self.event = event


def moved(status: KeyStatus, event: KeyEvent) -> KeyStatus:
    """Return the status after an event. Raises `IllegalMove` for a move that is not in the table."""
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise IllegalMove(status, event) from None


class Scope(NamedTuple):
    """What a verdict is about: a store keeps the newest verdict of each scope.

    Attributes:
        spreads: True when `owner` is an account, False when it is a key id.
        provider: None for the whole vendor.
    """

    spreads: bool
    owner: str
    provider: str | None


ENABLED_CODE: Final = "operator_enabled"
DISABLED_CODE: Final = "operator_disabled"
# Of a key or an account that is no longer in the secret.
UNWATCHED_CODE: Final = "no_longer_watched"


@frozen
class KeyVerdict:
    """One observation, as workers exchange it.

    Attributes:
        key_id: The key it was observed with.
        account: The account of that key; the key's own id when none is declared.
        provider: None when it holds for the whole vendor.
        status: `active` clears what was observed before it in the same scope.
        until: Unix seconds; None when it needs a person. Of a rejected key: when its next trial is due.
        strikes: How often in a row.
        code: The vendor's marker, or one of the operator's codes above.
        observed_at: Unix seconds: when the vendor said so; of a success, when its call *started*.
        spreads: Whether it holds for every key of the account.
    """

    vendor: str
    key_id: str
    account: str
    provider: str | None
    status: KeyStatus
    until: float | None
    strikes: int
    code: str
    observed_at: float
    spreads: bool

    @property
    def scope(self) -> Scope:
        """What it is about."""
        return Scope(self.spreads, self.account if self.spreads else self.key_id, self.provider)

    @property
    def deadline(self) -> float:
        """Unix seconds, infinity when only a person can end it."""
        return math.inf if self.until is None or self.status is KeyStatus.DISABLED else self.until

    @property
    def by_operator(self) -> bool:
        """Whether a person said so; no vendor's word replaces it."""
        enabled = self.status is KeyStatus.ACTIVE and self.code == ENABLED_CODE
        return enabled or self.status is KeyStatus.DISABLED

    @property
    def age_order(self) -> tuple[float, int, float, int, str, str, str]:
        """Older first; ties are settled the same way by every worker."""
        return (
            self.observed_at,
            self.status.severity,
            self.deadline,
            self.strikes,
            self.code,
            self.key_id,
            self.account,
        )
