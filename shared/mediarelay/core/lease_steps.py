"""What a lease is spoken about with: wishes and permits, and the questions put to the table with their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mediarelay.core.lease import Answer, Ask, LeaseState


@dataclass(frozen=True, slots=True)
class Promise:
    """A reserved slot, as it travels with a message.

    Attributes:
        start: The moment it is for, unix seconds of the fleet's clock.
        epoch: Void when the owner's differs.
        grace: How late it may be used, in seconds.
    """

    provider: str
    owner: str
    key_id: str
    start: float
    epoch: int
    grace: float = 0.0


@dataclass(frozen=True, slots=True)
class Wish:
    """One call that wants a permit.

    Attributes:
        bucket: The tenant's bucket; None when the publisher named no tenant.
        promise: What an earlier delivery reserved.
    """

    bucket: str | None = None
    promise: Promise | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """The call may be made from `start` on (fleet's clock).

    Attributes:
        owner: Empty when nothing limits the keys; then any of `key_ids` will do.
        slot: The concurrency slot it holds, with the moment it lapses.
        grace: How late it may be used, in seconds.
    """

    owner: str
    key_ids: tuple[str, ...]
    start: float
    epoch: int = 0
    slot: tuple[str, float] | None = None
    grace: float = 0.0


@dataclass(frozen=True, slots=True)
class Later:
    """No permit before `not_after`.

    Attributes:
        at: The soonest there might be one; None when there is no key at all.
        promises: Whether one could be reserved.
    """

    at: float | None
    promises: bool = False


Verdict = Permit | Later


@dataclass(frozen=True, slots=True)
class Look:
    """Read the states of these owners. Each of the `runs` is of neighbours by name, so that a range covers it."""

    runs: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Take:
    """Put these asks to the table, all at once."""

    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Answer to `Look`; no states when the table is away. An owner without an item is left out."""

    now: float
    states: Mapping[str, LeaseState] | None


@dataclass(frozen=True, slots=True)
class Taken:
    """Answer to `Take`, in order; None where the table is away."""

    now: float
    answers: tuple[Answer | None, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """Write the state of an owner or of the group, on condition that its epoch is still the one before."""

    name: str
    after: LeaseState


@dataclass(frozen=True, slots=True)
class CutMade:
    """Answer to `Cut`: the state that stands now; None when the table is away."""

    now: float
    state: LeaseState | None


LeaseStep = Look | Take | Cut
LeaseReply = Seen | Taken | CutMade


def promised(permit: Permit, provider: str) -> Promise:
    """The permit as it travels with a message."""
    return Promise(provider, permit.owner, permit.key_ids[0], permit.start, permit.epoch, permit.grace)
