"""Keys and the verdicts on them, in memory."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mediarelay.keys.parsing import ApiKey
from mediarelay.keys.states import KeyStatus, KeyVerdict, Scope


class FixedKeys:
    """Implements `keys.ports.KeySource`; set `keys` to rotate them, `wrong` to make entries wrong."""

    def __init__(
        self, keys: Mapping[str, tuple[ApiKey, ...]], faults: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.keys = keys
        self.wrong = faults
        self.others: dict[str, object] = {}

    def load(self) -> Mapping[str, tuple[ApiKey, ...]]:
        """See `keys.ports.KeySource.load`."""
        return self.keys

    def faults(self) -> Mapping[str, str]:
        """See `keys.ports.KeySource.faults`."""
        return self.wrong

    def beside(self, name: str) -> object:
        """See `keys.ports.KeySource.beside`."""
        return self.others.get(name)


class MemoryKeyStates:
    """Implements `keys.ports.KeyStates`; `changes` is its stream: (before, after) of each write. Thread-safe."""

    def __init__(self) -> None:
        self.changes: list[tuple[KeyVerdict | None, KeyVerdict]] = []
        self._verdicts: dict[tuple[str, Scope], KeyVerdict] = {}
        self._lock = threading.Lock()

    def load(self, vendor: str) -> Sequence[KeyVerdict]:
        """See `keys.ports.KeyStates.load`."""
        with self._lock:
            return [verdict for (owner, _), verdict in self._verdicts.items() if owner == vendor]

    def save(self, verdict: KeyVerdict) -> None:
        """See `keys.ports.KeyStates.save`."""
        name = (verdict.vendor, verdict.scope)
        with self._lock:
            before = self._verdicts.get(name)
            if before is None or (before.observed_at < verdict.observed_at and not _shortens(before, verdict)):
                self._verdicts[name] = verdict
                self.changes.append((before, verdict))


def _shortens(before: KeyVerdict, verdict: KeyVerdict) -> bool:
    cooling = before.status is verdict.status is KeyStatus.COOLING
    return cooling and (before.until or 0.0) > (verdict.until or 0.0)
