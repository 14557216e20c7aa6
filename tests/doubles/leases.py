"""Leases in memory: the core's own meaning of an ask."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mediarelay.limits.acquiring import Note
from mediarelay.limits.gcra import REST, Acquire, Answer, Granted, LimitState, acquire


class MemoryLimits:
    """Implements `limits.ports.LimitStore`. Thread-safe; `writes` counts those that were tried."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], LimitState] = {}
        self._lock = threading.Lock()
        self.writes = 0

    def look(self, provider: str, runs: Sequence[Sequence[str]]) -> Mapping[str, LimitState]:
        """See `limits.ports.LimitStore.look`."""
        with self._lock:
            return {
                name: state
                for (where, name), state in self._items.items()
                if where == provider and any(run[0] <= name <= run[-1] for run in runs)
            }

    def take(self, provider: str, ask: Acquire) -> Answer:
        """See `limits.ports.LimitStore.take`."""
        with self._lock:
            self.writes += 1
            answer = acquire(self._state(provider, ask.owner), ask)
            if isinstance(answer, Granted):
                self._items[provider, ask.owner] = answer.state
            return answer

    def cut(self, provider: str, name: str, after: LimitState) -> LimitState:
        """See `limits.ports.LimitStore.cut`."""
        with self._lock:
            self.writes += 1
            before = self._state(provider, name)
            if before.epoch == after.epoch - 1:
                self._items[provider, name] = replace(after, used=before.used, blocks=before.blocks, slots=before.slots)
            return self._state(provider, name)

    def note(self, provider: str, note: Note) -> LimitState:
        """See `limits.ports.LimitStore.note`."""
        with self._lock:
            self.writes += 1
            before = self._state(provider, note.name)
            if before.epoch == note.seen.epoch:
                blocks = before.blocks if note.rests_until is None else {**before.blocks, REST: note.rests_until}
                self._items[provider, note.name] = replace(
                    before,
                    refused=before.refused + 1,
                    throttled_at=note.at,
                    pace=note.pace or before.pace,
                    blocks=blocks,
                )
            return self._state(provider, note.name)

    def block(self, provider: str, owner: str, key_id: str, until: float | None) -> None:
        """See `limits.ports.LimitStore.block`."""
        with self._lock:
            self.writes += 1
            state = self._state(provider, owner)
            kept = {name: at for name, at in state.blocks.items() if name != key_id}
            if until is not None or kept != state.blocks:
                self._items[provider, owner] = replace(state, blocks=kept if until is None else {**kept, key_id: until})

    def release(self, provider: str, owner: str, slots: Sequence[tuple[str, float]]) -> None:
        """See `limits.ports.LimitStore.release`."""
        with self._lock:
            self.writes += 1
            state = self._state(provider, owner)
            kept = {slot: until for slot, until in state.slots.items() if (slot, until) not in set(slots)}
            if kept != state.slots:
                self._items[provider, owner] = replace(state, slots=kept)

    def _state(self, provider: str, name: str) -> LimitState:
        return self._items.get((provider, name), LimitState())
