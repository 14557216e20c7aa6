"""What identical requests share, as a port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from mediarelay.reuse.contract import Reusable, ReuseEntry


class ReuseStore(Protocol):
    """Entries by the key of `job_records.job_spec.reuse_key_of`. Every method raises `StoreUnavailable`."""

    def load(self, key: str) -> ReuseEntry:
        """Read an entry, perhaps not its newest state; an empty one where there is none."""

    def take(self, key: str, job_id: str, *, until: int, seen: ReuseEntry) -> ReuseEntry | None:
        """Make the job the buyer until then (unix ms), if it is already or the entry is as it was *seen*.

        Returns None, or the entry that prevented it.
        """

    def hold(self, key: str, job_id: str, *, until: int) -> None:
        """Let the job be the buyer until then instead (unix ms), if it still is."""

    def publish(self, key: str, job_id: str, result: Reusable) -> None:
        """Write the result, if that job is the buyer; there is none after that."""

    def free(self, key: str, job_id: str) -> None:
        """Let another job buy, if that one is the buyer."""
