"""The table of limits, as a port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from mediarelay.limits.acquiring import Note
from mediarelay.limits.gcra import Acquire, Answer, LimitState

# Only for annotations: no worker that takes permits reads reports.
if TYPE_CHECKING:
    from mediarelay.limits.contract import LimitReport


class LimitStore(Protocol):
    """The limits that all workers share. Every method raises `StoreUnavailable` when the table cannot be reached."""

    def look(self, provider: str, runs: Sequence[Sequence[str]]) -> Mapping[str, LimitState]:
        """Read the states of all owners between the first and the last of each run, in order; some may be missing.

        Eventually consistent: good enough to plan by.
        """

    def take(self, provider: str, ask: Acquire) -> Answer:
        """Do what `limits.gcra.acquire` defines, as a rule in one conditional write."""

    def cut(self, provider: str, name: str, after: LimitState) -> LimitState:
        """Write the state if the epoch is still the one before. Returns the state that stands then."""

    def note(self, provider: str, note: Note) -> LimitState:
        """Count a refusal, if the epoch is still the one seen. Returns the state that stands then."""

    def block(self, provider: str, owner: str, key_id: str, until: float | None) -> None:
        """Deny permits of the key (or WHOLE_ACCOUNT) until then; None lifts the block."""

    def release(self, provider: str, owner: str, slots: Sequence[tuple[str, float]]) -> None:
        """Give concurrency slots back, each with the moment it would have lapsed; what others hold by now stays."""


class LimitReports(Protocol):
    """What was reported of the limits of each provider. Both raise `StoreUnavailable`."""

    def load(self) -> Mapping[str, LimitReport]:
        """Read the reports, by provider."""

    def save(self, report: LimitReport) -> None:
        """Replace the provider's report."""
