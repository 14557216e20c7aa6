"""Budgets in the Telemetry table: one item for each payer and month, changed by single conditional writes.

`pk` = BUDGET#payer, `sk` = the month. `used` is what is spent and set aside in it, `d28` the same of its 28th day; both
are what a condition compares with the budget, so that no two workers can set the same dollar aside. `h:<job>` is what
is set aside for a job: while it stands, setting aside once more changes nothing, and once it is gone, releasing it
changes nothing. `p:<provider>` is what was spent, `held` how many bytes the entries take, which are bounded.

Changes of several threads to one item go in one write (group commit); where one of them does not hold, each goes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import REFUSED, GroupCommit, Update, from_item, held, query_all, store_errors, to_item
from mediarelay.budgets.contract import BudgetLevel
from mediarelay.budgets.ports import MOST_BYTES, Allowance, BudgetChange, BudgetState, Changed, Entry, Unchanged

LEVELS_PARTITION: Final = "BUDGET_LEVELS"
_INDEX: Final = "BUDGETS"
_HELD: Final = "held"
_TABLE: Final = "telemetry table"
_KEPT_SECONDS: Final = 100 * 24 * 3600
TOGETHER: Final = 25


class DynamoBudgets:
    """Implements `budgets.ports.BudgetStore`."""

    def __init__(self, client: Any, table: str, now: Callable[[], float]) -> None:
        """`now` returns the moment, unix seconds: items are kept for some months from then."""
        self._client = client
        self._table = table
        self._now = now
        self._changes: GroupCommit[BudgetChange, Changed | Unchanged] = GroupCommit(self._change_all, limit=TOGETHER)

    def change(self, change: BudgetChange) -> Changed | Unchanged:
        """See `budgets.ports.BudgetStore.change`."""
        return self._changes.submit(change)

    def entry(self, payer: str, month: str, job_id: str) -> Entry | None:
        """See `budgets.ports.BudgetStore.entry`."""
        with store_errors(_TABLE, "read a budget"):
            found = self._client.get_item(TableName=self._table, Key=_key(payer, month), ConsistentRead=True)
        return _standing(from_item(found.get("Item", {})), job_id)

    def tell(self, level: BudgetLevel) -> bool:
        """See `budgets.ports.BudgetStore.tell`."""
        key = {"pk": LEVELS_PARTITION, "sk": f"{level.payer}#{level.window}#{level.level}"}
        item = {**key, **level.model_dump(), "ttl": self._ttl()}
        with store_errors(_TABLE, "note a level of a budget"):
            return held(
                lambda: self._client.put_item(
                    TableName=self._table, Item=to_item(item), ConditionExpression="attribute_not_exists(pk)"
                )
            )

    def month(self, month: str) -> Sequence[BudgetState]:
        """See `budgets.ports.BudgetStore.month`."""
        with store_errors(_TABLE, "read budgets"):
            listed = query_all(
                self._client,
                TableName=self._table,
                KeyConditionExpression="pk = :index AND begins_with(sk, :month)",
                ExpressionAttributeValues={":index": {"S": _INDEX}, ":month": {"S": f"{month}#"}},
            )
            payers = [str(item["sk"]["S"]).partition("#")[2] for item in listed]
            items = [
                self._client.get_item(TableName=self._table, Key=_key(payer, month), ConsistentRead=True).get("Item")
                for payer in payers
            ]
        return [_state(payer, month, from_item(item)) for payer, item in zip(payers, items, strict=True) if item]

    def _change_all(self, changes: Sequence[BudgetChange]) -> list[Changed | Unchanged]:
        """Write the changes of each item together; those of a job twice, or where one does not hold, one by one."""
        together: dict[tuple[object, ...], list[int]] = {}
        for number, each in enumerate(changes):
            together.setdefault((each.payer, each.month, each.day, each.allowance), []).append(number)
        answers: dict[int, Changed | Unchanged] = {}
        for numbers in together.values():
            several = [changes[number] for number in numbers]
            written = len({each.job_id for each in several}) == len(several) and self._write(several)
            if isinstance(written, Changed):
                answers.update(dict.fromkeys(numbers, written))
            elif len(several) == 1 and isinstance(written, Unchanged):
                answers[numbers[0]] = written
            else:
                answers.update(self._one_by_one(numbers, changes))
        return [answers[number] for number in range(len(changes))]

    def _one_by_one(
        self, numbers: Sequence[int], changes: Sequence[BudgetChange]
    ) -> Iterator[tuple[int, Changed | Unchanged]]:
        """Write each alone. Once there is no room for a further entry, none of the others is tried: each would cost as
        much as the item is large.
        """
        full: Unchanged | None = None
        for number in numbers:
            change = changes[number]
            answer = full if full is not None and change.opens else self._write([change])
            if isinstance(answer, Unchanged) and answer.full:
                full = answer
            yield number, answer

    def _write(self, changes: Sequence[BudgetChange]) -> Changed | Unchanged:
        first, more = changes[0], sum(each.more for each in changes)
        update = _update(changes, more, self._ttl())
        allowance, day = first.allowance, f"d{first.day}"
        with store_errors(_TABLE, "change a budget"):
            if allowance is not None and (_below(allowance.month, more) or _below(allowance.day, more)):
                found = self._client.get_item(
                    TableName=self._table, Key=_key(first.payer, first.month), ConsistentRead=True
                )
                return _unchanged(from_item(found.get("Item", {})), first)
            try:
                answer = self._client.update_item(
                    TableName=self._table,
                    Key=_key(first.payer, first.month),
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **update.fields(),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != REFUSED:
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return _unchanged(from_item(item), first)
            new = from_item(answer.get("Attributes", {}))
            changed = Changed(int(new.get("used", 0)), int(new.get(day, 0)))
            if allowance is not None and changed.month_used == more:
                self._list(first.payer, first.month)
        return changed

    def _list(self, payer: str, month: str) -> None:
        """Have the payer found by `month`: nothing was set aside for it before."""
        item = {"pk": _INDEX, "sk": f"{month}#{payer}", "ttl": self._ttl()}
        self._client.put_item(TableName=self._table, Item=to_item(item))

    def _ttl(self) -> int:
        return int(self._now()) + _KEPT_SECONDS


def _key(payer: str, month: str) -> dict[str, Any]:
    return {"pk": {"S": f"BUDGET#{payer}"}, "sk": {"S": month}}


def _below(most: int | None, more: int) -> bool:
    return most is not None and most < more


def _update(changes: Sequence[BudgetChange], more: int, ttl: int) -> Update:
    first = changes[0]
    update = Update({"ttl": ttl})
    charged: dict[str, int] = {}
    for each in changes:
        name = update.name(f"h:{each.job_id}")
        standing = f"{name} = {update.value(each.before.written)}" if each.before else f"attribute_not_exists({name})"
        update.require(standing)
        if each.after is None:
            update.drop(f"h:{each.job_id}")
        else:
            update.let(f"h:{each.job_id}", each.after.written)
        for provider, amount in each.charged.items():
            charged[provider] = charged.get(provider, 0) + amount
    used, day = "used", f"d{first.day}"
    update.add(used, more)
    more_bytes = sum(each.more_bytes for each in changes)
    update.add(_HELD, more_bytes)
    if any(each.opens for each in changes):
        held = update.name(_HELD)
        update.require(f"(attribute_not_exists({held}) OR {held} <= {update.value(MOST_BYTES - more_bytes)})")
    update.add(day, more)
    for provider, amount in charged.items():
        update.add(f"p:{provider}", amount)
    allowance = first.allowance
    if allowance is not None:
        for attribute, name, most in ((used, "month_most", allowance.month), (day, "day_most", allowance.day)):
            if most is not None:
                update.let(name, most)
                place = update.name(attribute)
                update.require(f"(attribute_not_exists({place}) OR {place} <= {update.value(most - more)})")
    return update


def _standing(item: Mapping[str, Any], job_id: str) -> Entry | None:
    text = item.get(f"h:{job_id}")
    return Entry.read(text) if text else None


def _unchanged(item: Mapping[str, Any], change: BudgetChange) -> Unchanged:
    standing = _standing(item, change.job_id)
    month_used, day_used = int(item.get("used", 0)), int(item.get(f"d{change.day}", 0))
    bounds = change.allowance or Allowance(None, None)
    fits = not _below(bounds.month, month_used + change.more) and not _below(bounds.day, day_used + change.more)
    full = standing is None and change.opens and fits and int(item.get(_HELD, 0)) + change.more_bytes > MOST_BYTES
    return Unchanged(standing, month_used, day_used, full)


def _state(payer: str, month: str, item: Mapping[str, Any]) -> BudgetState:
    return BudgetState(
        payer,
        month,
        used=int(item.get("used", 0)),
        days={int(name[1:]): int(value) for name, value in item.items() if name[0] == "d" and name[1:].isdecimal()},
        spent={name[2:]: int(value) for name, value in item.items() if name.startswith("p:")},
        entries={name[2:]: Entry.read(value) for name, value in item.items() if name.startswith("h:")},
        allowance=Allowance(item.get("day_most"), item.get("month_most")),
    )
