"""Budgets in the Telemetry table: one item for each payer and month, or several where the budget is a large one.

What is in an item is in `dynamodb_items`, how a budget is spread in `sharding`. Changes of several threads to one item
go in one write (group commit); where one of them does not hold, each goes alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from mediarelay.aws.stores import GroupCommit, held, query_all, store_errors, to_item
from mediarelay.budgets.contract import BudgetLevel
from mediarelay.budgets.dynamodb_items import (
    INDEX,
    KEPT_SECONDS,
    TABLE,
    BudgetItems,
    Placed,
    Written,
    shards_of,
    standing,
    use_of,
)
from mediarelay.budgets.ports import Allowance, BudgetChange, BudgetState, Changed, Entry, Unchanged
from mediarelay.budgets.sharding import (
    Use,
    after,
    allows,
    home_of,
    loan_for,
    loans_of_the_overdrawn,
    part_of,
    shards_for,
    total,
)
from mediarelay.budgets.windows import level
from mediarelay.vocabulary.errors import StoreUnavailable

LEVELS_PARTITION: Final = "BUDGET_LEVELS"
TOGETHER: Final = 25
# All shards are looked at so often, and as often as the second where that tells whether there is anything left, or
# whether a level is reached.
LOOK_SECONDS: Final = 60.0
SOON_SECONDS: Final = 10.0
_TRIES: Final = 8


class _Look(NamedTuple):
    """What is used of a budget that is spread, as it was a moment ago.

    Attributes:
        overdrawn: Whether some shards have used more than their part, and there is nobody left to borrow of.
    """

    at: float
    allowance: Allowance
    used: Use
    overdrawn: bool


class DynamoBudgets:
    """Implements `budgets.ports.BudgetStore`."""

    def __init__(self, client: Any, table: str, now: Callable[[], float]) -> None:
        """`now` returns the moment, unix seconds: items are kept for some months from then."""
        self._client = client
        self._table = table
        self._now = now
        self._items = BudgetItems(client, table, now)
        self._lock = threading.Lock()
        self._commits: dict[int, GroupCommit[Placed, Written]] = {}
        self._spread: dict[tuple[str, str], int] = {}
        self._looks: dict[tuple[str, str, int], _Look] = {}
        self._listed: set[tuple[str, str]] = set()

    def change(self, change: BudgetChange) -> Changed | Unchanged:
        """See `budgets.ports.BudgetStore.change`."""
        answer, key = self._changed(change), (change.payer, change.month)
        # Once a worker: who first set something aside of the budget may have died before it was listed.
        if change.allowance is not None and key not in self._listed:
            self._items.list_payer(*key)
            self._listed.add(key)
        return answer

    def _changed(self, change: BudgetChange) -> Changed | Unchanged:
        key = (change.payer, change.month)
        shards = self._spread.get(key)
        if shards is None and change.allowance is not None and shards_for(change.allowance) > 1:
            shards = self._spread[key] = self._items.spread(*key, shards_for(change.allowance))
        if shards is None or shards == 1:
            answer, shards = self._submit(Placed(change))
            if shards == 1:
                return answer
            self._spread[key] = shards
        return self._change_spread(change, shards)

    def entry(self, payer: str, month: str, job_id: str) -> Entry | None:
        """See `budgets.ports.BudgetStore.entry`."""
        shards = self._spread.get((payer, month), 1)
        if shards == 1:
            item = self._items.read(payer, month)
            shards = shards_of(item)
            if shards == 1:
                return standing(item, job_id)
            self._spread[payer, month] = shards
        return standing(self._items.read(payer, month, home_of(job_id, shards)), job_id)

    def tell(self, level: BudgetLevel) -> bool:
        """See `budgets.ports.BudgetStore.tell`."""
        key = {"pk": LEVELS_PARTITION, "sk": f"{level.payer}#{level.window}#{level.level}"}
        item = {**key, **level.model_dump(), "ttl": int(self._now()) + KEPT_SECONDS}
        with store_errors(TABLE, "note a level of a budget"):
            return held(
                lambda: self._client.put_item(
                    TableName=self._table, Item=to_item(item), ConditionExpression="attribute_not_exists(pk)"
                )
            )

    def month(self, month: str) -> Sequence[BudgetState]:
        """See `budgets.ports.BudgetStore.month`."""
        with store_errors(TABLE, "read budgets"):
            listed = list(
                query_all(
                    self._client,
                    TableName=self._table,
                    KeyConditionExpression="pk = :index AND begins_with(sk, :month)",
                    ExpressionAttributeValues={":index": {"S": INDEX}, ":month": {"S": f"{month}#"}},
                )
            )
        states = []
        for payer in [str(item["sk"]["S"]).partition("#")[2] for item in listed]:
            item = self._items.read(payer, month)
            shards = shards_of(item)
            items = [item] if shards == 1 else self._items.read_shards(payer, month, shards)
            if item:
                states.append(_state(payer, month, items))
        return states

    def _submit(self, placed: Placed) -> Written:
        """Write a change, together with those of other threads to the same shard."""
        commit = self._commits.get(placed.number)
        if commit is None:
            commit = self._commits.setdefault(placed.number, GroupCommit(self._change_all, limit=TOGETHER))
        return commit.submit(placed)

    def _change_spread(self, change: BudgetChange, shards: int) -> Changed | Unchanged:
        placed = Placed(change, home_of(change.job_id, shards), shards)
        allowance = change.allowance
        if allowance is None:
            return self._submit(placed).answer
        look = self._look(change, allowance, shards, LOOK_SECONDS)
        if look.overdrawn:
            look = self._look(change, allowance, shards, SOON_SECONDS)
        if look.overdrawn and change.more > 0:
            stands = self.entry(change.payer, change.month, change.job_id)
            return Unchanged(stands, *look.used)
        for _ in range(_TRIES):
            answer = self._submit(placed).answer
            if isinstance(answer, Changed):
                return self._whole(placed, allowance, answer)
            if answer.entry != change.before or answer.full:
                return answer
            over = self._borrow(placed, allowance)
            if over is not None:
                return Unchanged(answer.entry, *over)
        raise StoreUnavailable(TABLE, "set money aside", f"the shards of {change.payer} lend to others")

    def _whole(self, placed: Placed, allowance: Allowance, changed: Changed) -> Changed:
        """Return what is used of the whole budget, as it was found lately; looked at again where the part of this shard
        tells that a further level may be reached: no level is, unless it is in some shard.
        """
        change, number, shards = placed
        part = part_of(allowance, number, shards)
        used = self._look(change, allowance, shards, LOOK_SECONDS).used
        here = (_level(changed.month_used, part.month), _level(changed.day_used, part.day))
        all_over = (_level(used.month, allowance.month), _level(used.day, allowance.day))
        if any(one > whole for one, whole in zip(here, all_over, strict=True)):
            used = self._look(change, allowance, shards, SOON_SECONDS).used
        return Changed(*used)

    def _look(self, change: BudgetChange, allowance: Allowance, shards: int, seconds: float) -> _Look:
        """Look at all shards, unless that was done in the last *seconds*, and let those borrow that are overdrawn."""
        key = (change.payer, change.month, change.day)
        with self._lock:
            look = self._looks.get(key)
            if look is None or look.allowance != allowance or self._now() >= look.at + seconds:
                uses = self._uses(change, shards)
                for loan in loans_of_the_overdrawn(uses, allowance):
                    if self._items.lend(change, loan, shards):
                        uses = after(uses, loan)
                parts = (part_of(allowance, number, shards) for number in range(shards))
                overdrawn = not all(allows(part, use, 0) for part, use in zip(parts, uses, strict=True))
                look = self._looks[key] = _Look(self._now(), allowance, total(uses), overdrawn)
            return look

    def _borrow(self, placed: Placed, allowance: Allowance) -> Use | None:
        """Let a shard borrow what it lacks, or some of it. Returns what is used where the whole does not allow it."""
        change, number, shards = placed
        key = (change.payer, change.month, change.day)
        look = self._looks[key]
        if self._now() < look.at + SOON_SECONDS and not allows(allowance, look.used, change.more):
            return look.used
        uses = self._uses(change, shards)
        used = total(uses)
        if not allows(allowance, used, change.more):
            self._looks[key] = look._replace(at=self._now(), used=used)
            return used
        loan = loan_for(number, change.more, uses, allowance)
        if loan is not None:
            self._items.lend(change, loan, shards)
        return None

    def _uses(self, change: BudgetChange, shards: int) -> list[Use]:
        return [use_of(item, change.day) for item in self._items.read_shards(change.payer, change.month, shards)]

    def _change_all(self, placed: Sequence[Placed]) -> list[Written]:
        """Write the changes of each item together; those of a job twice, or where one does not hold, one by one."""
        together: dict[tuple[object, ...], list[int]] = {}
        for number, (change, _, shards) in enumerate(placed):
            key = (change.payer, change.month, change.day, change.allowance, shards)
            together.setdefault(key, []).append(number)
        answers: dict[int, Written] = {}
        for numbers in together.values():
            several = [placed[number] for number in numbers]
            jobs = {each.change.job_id for each in several}
            written = self._items.write(several) if len(jobs) == len(several) else None
            if written is not None and isinstance(written.answer, Changed):
                answers.update(dict.fromkeys(numbers, written))
            elif written is not None and len(several) == 1:
                answers[numbers[0]] = written
            else:
                answers.update(self._one_by_one(numbers, placed))
        return [answers[number] for number in range(len(placed))]

    def _one_by_one(self, numbers: Sequence[int], placed: Sequence[Placed]) -> Iterator[tuple[int, Written]]:
        """Write each alone. Once there is no room for a further entry, none of the others is tried: each would cost as
        much as the item is large.
        """
        full: Written | None = None
        for number in numbers:
            each = placed[number]
            written = full if full is not None and each.change.opens else self._items.write([each])
            if isinstance(written.answer, Unchanged) and written.answer.full:
                full = written
            yield number, written


def _level(used: int, most: int | None) -> int:
    return 0 if most is None else level(used, most) or 0


def _state(payer: str, month: str, items: Sequence[Mapping[str, Any]]) -> BudgetState:
    """Return a budget as the sum of its shards."""
    days: dict[int, int] = {}
    spent: dict[str, int] = {}
    entries: dict[str, Entry] = {}
    for item in items:
        for name, value in item.items():
            if name[0] == "d" and name[1:].isdecimal():
                days[int(name[1:])] = days.get(int(name[1:]), 0) + int(value)
            elif name.startswith("p:"):
                spent[name[2:]] = spent.get(name[2:], 0) + int(value)
            elif name.startswith("h:"):
                entries[name[2:]] = Entry.read(value)
    latest = max(items, key=lambda item: int(item.get("ttl", 0)))
    return BudgetState(
        payer,
        month,
        used=sum(int(item.get("used", 0)) for item in items),
        days=days,
        spent=spent,
        entries=entries,
        allowance=Allowance(latest.get("day_most"), latest.get("month_most")),
    )
