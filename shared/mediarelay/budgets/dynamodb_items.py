"""The items of budgets: what is written to one of them, and lent between those of one budget.

`pk` = BUDGET#payer, `sk` = the month. `used` is what is spent and set aside in it, `d28` the same of its 28th day; both
are what a condition compares with the budget, so that no two workers can set the same dollar aside. `h:<job>` is what
is set aside for a job: while it stands, setting aside once more changes nothing, and once it is gone, releasing it
changes nothing. `p:<provider>` is what was spent, `held` how many bytes the entries take, which are bounded.

Where the budget is spread, `shards` says over how many items: this one and BUDGET_SHARD#payer#number. What is lent
takes `used` and the day's use of a borrower below zero where it has spent little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from mediarelay.aws.stores import REFUSED, Update, from_item, held, store_errors, to_item
from mediarelay.budgets.ports import MOST_BYTES, Allowance, BudgetChange, Changed, Entry, Unchanged
from mediarelay.budgets.sharding import Loan, Use, part_of, total

TABLE: Final = "telemetry table"
KEPT_SECONDS: Final = 100 * 24 * 3600
INDEX: Final = "BUDGETS"
_SHARDS: Final = "shards"
_HELD: Final = "held"
# A plain write that meets a transaction at its item is refused, and not tried again by botocore (DynamoDB developer
# guide, "Transactional conflict handling"); the transaction takes some milliseconds.
_CONFLICT: Final = "TransactionConflictException"
_CANCELLED: Final = "TransactionCanceledException"
_ATTEMPTS: Final = 4
_KEYS_A_READ: Final = 100


class Placed(NamedTuple):
    """A change of one shard of a budget that is spread over so many; most are not spread."""

    change: BudgetChange
    number: int = 0
    shards: int = 1


class Written(NamedTuple):
    """What a shard answered, and over how many the budget really is spread, where that is not what was thought."""

    answer: Changed | Unchanged
    shards: int


class BudgetItems:
    """Reads and writes single items. Every method raises `StoreUnavailable`."""

    def __init__(self, client: Any, table: str, now: Callable[[], float]) -> None:
        """`now` returns the moment, unix seconds: items are kept for some months from then."""
        self._client = client
        self._table = table
        self._now = now

    def read(self, payer: str, month: str, number: int = 0) -> dict[str, Any]:
        """Return an item, empty where there is none."""
        with store_errors(TABLE, "read a budget"):
            found = self._client.get_item(TableName=self._table, Key=_key(payer, month, number), ConsistentRead=True)
        return from_item(found.get("Item", {}))

    def read_shards(self, payer: str, month: str, shards: int) -> list[dict[str, Any]]:
        """Return all items of a budget that is spread, those that are not there as empty ones."""
        keys = [_key(payer, month, number) for number in range(shards)]
        found: dict[str, dict[str, Any]] = {}
        with store_errors(TABLE, "read the shards of a budget"):
            while keys:
                asked, keys = keys[:_KEYS_A_READ], keys[_KEYS_A_READ:]
                answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": asked}})
                found |= {item["pk"]["S"]: from_item(item) for item in answer["Responses"].get(self._table, [])}
                keys += answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
        return [found.get(_key(payer, month, number)["pk"]["S"], {}) for number in range(shards)]

    def spread(self, payer: str, month: str, wanted: int) -> int:
        """Have a budget spread over so many items, unless it is there already. Returns over how many it is."""
        item = self.read(payer, month)
        if not item:
            fresh = to_item({_SHARDS: wanted, "ttl": self._ttl()})
            with store_errors(TABLE, "spread a budget"):
                if held(
                    lambda: self._client.put_item(
                        TableName=self._table,
                        Item={**_key(payer, month), **fresh},
                        ConditionExpression="attribute_not_exists(pk)",
                    )
                ):
                    return wanted
            item = self.read(payer, month)
        return shards_of(item)

    def list_payer(self, payer: str, month: str) -> None:
        """Have the payer found among those of the month."""
        item = {"pk": INDEX, "sk": f"{month}#{payer}", "ttl": self._ttl()}
        with store_errors(TABLE, "list a budget"):
            self._client.put_item(TableName=self._table, Item=to_item(item))

    def write(self, placed: Sequence[Placed]) -> Written:
        """Make changes of one item together, or none of them."""
        first, number, shards = placed[0]
        update = _update(placed, sum(each.change.more for each in placed), self._ttl())
        with store_errors(TABLE, "change a budget"):
            try:
                answer = self._updated(_key(first.payer, first.month, number), update)
            except ClientError as error:
                if error.response["Error"]["Code"] != REFUSED:
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return _refused(from_item(item), placed[0])
        new = from_item(answer.get("Attributes", {}))
        return Written(Changed(int(new.get("used", 0)), int(new.get(f"d{first.day}", 0))), shards)

    def lend(self, change: BudgetChange, loan: Loan, shards: int) -> bool:
        """Lend, by one transaction. Returns False where a lender has it no longer, or another write came between."""
        allowance = change.allowance or Allowance(None, None)
        whole = total(loan.lent.values())
        updates = {loan.borrower: self._lent(change.day, Use(-whole.month, -whole.day))}
        for number, use in loan.lent.items():
            update = self._lent(change.day, use)
            part = part_of(allowance, number, shards)
            bounds = Allowance(part.day if use.day else None, part.month if use.month else None)
            _require(update, bounds, change.day, use)
            updates[number] = update
        items = [
            {"Update": {"TableName": self._table, "Key": _key(change.payer, change.month, number), **update.fields()}}
            for number, update in updates.items()
        ]
        with store_errors(TABLE, "lend between the shards of a budget"):
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                if error.response["Error"]["Code"] != _CANCELLED:
                    raise
                return False
        return True

    def _updated(self, key: Mapping[str, Any], update: Update) -> Any:
        attempts = _ATTEMPTS
        while True:
            attempts -= 1
            try:
                return self._client.update_item(
                    TableName=self._table,
                    Key=key,
                    ReturnValues="UPDATED_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **update.fields(),
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != _CONFLICT or not attempts:
                    raise

    def _lent(self, day: int, use: Use) -> Update:
        update = Update({"ttl": self._ttl()})
        update.add("used", use.month)
        update.add(f"d{day}", use.day)
        return update

    def _ttl(self) -> int:
        return int(self._now()) + KEPT_SECONDS


def shards_of(item: Mapping[str, Any]) -> int:
    """Return over how many items a budget is spread, by its first."""
    return int(item.get(_SHARDS, 1))


def use_of(item: Mapping[str, Any], day: int) -> Use:
    """Return what is used of a shard."""
    return Use(int(item.get("used", 0)), int(item.get(f"d{day}", 0)))


def standing(item: Mapping[str, Any], job_id: str) -> Entry | None:
    """Return what is set aside for a job."""
    text = item.get(f"h:{job_id}")
    return Entry.read(text) if text else None


def _key(payer: str, month: str, number: int = 0) -> dict[str, Any]:
    name = f"BUDGET_SHARD#{payer}#{number}" if number else f"BUDGET#{payer}"
    return {"pk": {"S": name}, "sk": {"S": month}}


def _require(update: Update, part: Allowance, day: int, more: Use) -> None:
    """Let it be written only where what is used stays within the part."""
    for attribute, most, added in (("used", part.month, more.month), (f"d{day}", part.day, more.day)):
        if most is not None:
            place, room = update.name(attribute), update.value(most - added)
            fits = f"{place} <= {room}"
            # What is not there is nothing used, and a comparison with it never holds.
            update.require(f"(attribute_not_exists({place}) OR {fits})" if added <= most else fits)


def _update(placed: Sequence[Placed], more: int, ttl: int) -> Update:
    changes = [each.change for each in placed]
    first, number, shards = placed[0]
    update = Update({"ttl": ttl})
    for each in changes:
        name = update.name(f"h:{each.job_id}")
        as_before = f"{name} = {update.value(each.before.written)}" if each.before else f"attribute_not_exists({name})"
        update.require(as_before)
        if each.after is None:
            update.drop(f"h:{each.job_id}")
        else:
            update.let(f"h:{each.job_id}", each.after.written)
    update.add("used", more)
    more_bytes = sum(each.more_bytes for each in changes)
    update.add(_HELD, more_bytes)
    if any(each.opens for each in changes):
        entries = update.name(_HELD)
        update.require(f"(attribute_not_exists({entries}) OR {entries} <= {update.value(MOST_BYTES - more_bytes)})")
    update.add(f"d{first.day}", more)
    for provider, amount in _charged(changes):
        update.add(f"p:{provider}", amount)
    allowance = first.allowance
    if allowance is not None:
        for name, most in (("month_most", allowance.month), ("day_most", allowance.day)):
            if most is not None:
                update.let(name, most)
        _require(update, part_of(allowance, number, shards), first.day, Use(more, more))
        if shards == 1:
            update.require(f"attribute_not_exists({update.name(_SHARDS)})")
    return update


def _charged(changes: Sequence[BudgetChange]) -> Iterator[tuple[str, int]]:
    charged: dict[str, int] = {}
    for each in changes:
        for provider, amount in each.charged.items():
            charged[provider] = charged.get(provider, 0) + amount
    yield from charged.items()


def _refused(item: Mapping[str, Any], placed: Placed) -> Written:
    change, number, shards = placed
    stands, used = standing(item, change.job_id), use_of(item, change.day)
    part = part_of(change.allowance or Allowance(None, None), number, shards)
    fits = not _below(part.month, used.month + change.more) and not _below(part.day, used.day + change.more)
    full = stands is None and change.opens and fits and int(item.get(_HELD, 0)) + change.more_bytes > MOST_BYTES
    really = shards if number else shards_of(item)
    return Written(Unchanged(stands, used.month, used.day, full), really)


def _below(most: int | None, used: int) -> bool:
    return most is not None and most < used
