"""The lease table in virtual time: what `DynamoLeases` does with an ask, its writes counted as it spends them."""

from __future__ import annotations

from collections.abc import Sequence

from mediarelay.limits.gcra import Answer, Ask, Granted, LeaseState, Line, applied
from tools.bench.fleet.scenario import Scenario, Tally


class Table:
    """One item for each owner; None where it refuses."""

    def __init__(self, scenario: Scenario, tally: Tally) -> None:
        self._away = scenario.away
        self._tally = tally
        self._items: dict[str, LeaseState] = {}

    def look(self, names: Sequence[str], now: float) -> dict[str, LeaseState] | None:
        """The states of those that have an item."""
        if self.away(now):
            return None
        self._tally.looks += 1
        return {name: self._items[name] for name in names if name in self._items}

    def take(self, ask: Ask, now: float) -> Answer | None:
        """One conditional write; a second when the first assumed the wrong side of `tat`."""
        if self.away(now):
            return None
        state = self._items.get(ask.owner, LeaseState())
        answer = applied(state, ask)
        guessed = (ask.seen.tat < ask.now) == (state.tat < ask.now)
        again = not guessed and ask.line is Line.TAIL and isinstance(answer, Granted)
        self._tally.writes += 2 if again else 1
        if isinstance(answer, Granted):
            self._items[ask.owner] = answer.state
        return answer

    def cut(self, name: str, after: LeaseState, now: float) -> LeaseState | None:
        """Write it unless somebody was quicker; what stands then."""
        if self.away(now):
            return None
        self._tally.writes += 1
        before = self._items.get(name, LeaseState())
        if before.epoch == after.epoch - 1:
            self._items[name] = after
        return self._items.get(name, LeaseState())

    def free(self, name: str, slots: Sequence[tuple[str, float]], now: float) -> None:
        """Give concurrency slots back that are still ours."""
        if self.away(now):
            return
        self._tally.writes += 1
        state = self._items[name]
        kept = {slot: until for slot, until in state.slots.items() if (slot, until) not in set(slots)}
        self._items[name] = LeaseState(**{**_fields(state), "slots": kept})  # type: ignore[arg-type]  # its own fields

    def block(self, name: str, key_id: str, until: float, now: float) -> None:
        """Nobody leases the key until then."""
        if self.away(now):
            return
        self._tally.writes += 1
        state = self._items.get(name, LeaseState())
        self._items[name] = LeaseState(**{**_fields(state), "blocks": {**state.blocks, key_id: until}})  # type: ignore[arg-type]  # its own fields

    def away(self, now: float) -> bool:
        """Whether it refuses at the moment."""
        return self._away[0] <= now < self._away[1]


def _fields(state: LeaseState) -> dict[str, object]:
    return {name: getattr(state, name) for name in LeaseState.__dataclass_fields__}
