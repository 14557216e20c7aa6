"""The lease table in virtual time: what `DynamoLimits` does with an ask, its writes counted as it spends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mediarelay.limits.acquiring import Note
from mediarelay.limits.fairness import Line
from mediarelay.limits.gcra import Acquire, Answer, Granted, LimitState, acquire
from tools.bench.fleet.scenario import Scenario, Tally


class Table:
    """One item for each owner; None where it refuses."""

    def __init__(self, scenario: Scenario, tally: Tally) -> None:
        self._away = scenario.store_down
        self._tally = tally
        self._items: dict[str, LimitState] = {}

    def look(self, names: Sequence[str], now: float) -> dict[str, LimitState] | None:
        """The states of those that have an item."""
        if self.store_down(now):
            return None
        self._tally.looks += 1
        return {name: self._items[name] for name in names if name in self._items}

    def take(self, ask: Acquire, now: float) -> Answer | None:
        """One conditional write; a second when the first assumed the wrong side of `tat`."""
        if self.store_down(now):
            return None
        state = self._items.get(ask.owner, LimitState())
        answer = acquire(state, ask)
        guessed = (ask.seen.tat < ask.now) == (state.tat < ask.now)
        again = not guessed and ask.line is Line.TAIL and isinstance(answer, Granted)
        self._tally.writes += 2 if again else 1
        if isinstance(answer, Granted):
            self._items[ask.owner] = answer.state
        return answer

    def cut(self, name: str, after: LimitState, now: float) -> LimitState | None:
        """Write it unless somebody was quicker; what stands then."""
        if self.store_down(now):
            return None
        self._tally.writes += 1
        before = self._items.get(name, LimitState())
        if before.epoch == after.epoch - 1:
            self._items[name] = after
        return self._items.get(name, LimitState())

    def note(self, note: Note, now: float) -> LimitState | None:
        """Count a refusal in its epoch; what stands then."""
        if self.store_down(now):
            return None
        self._tally.writes += 1
        before = self._items.get(note.name, LimitState())
        if before.epoch == note.seen.epoch:
            counted = replace(before, refused=before.refused + 1, throttled_at=note.at)
            self._items[note.name] = replace(counted, pace=note.pace or before.pace)
        return self._items.get(note.name, LimitState())

    def free(self, name: str, slots: Sequence[tuple[str, float]], now: float) -> None:
        """Give concurrency slots back that are still ours."""
        if self.store_down(now):
            return
        self._tally.writes += 1
        state = self._items[name]
        kept = {slot: until for slot, until in state.slots.items() if (slot, until) not in set(slots)}
        self._items[name] = LimitState(**{**_fields(state), "slots": kept})  # type: ignore[arg-type]  # its own fields

    def block(self, name: str, key_id: str, until: float, now: float) -> None:
        """Nobody leases the key until then."""
        if self.store_down(now):
            return
        self._tally.writes += 1
        state = self._items.get(name, LimitState())
        self._items[name] = LimitState(**{**_fields(state), "blocks": {**state.blocks, key_id: until}})  # type: ignore[arg-type]  # its own fields

    def store_down(self, now: float) -> bool:
        """Whether it refuses at the moment."""
        return self._away[0] <= now < self._away[1]


def _fields(state: LimitState) -> dict[str, object]:
    return {name: getattr(state, name) for name in LimitState.__dataclass_fields__}
