"""AWS's stores as the adapters want them: one translation of errors, a second attempt, and DynamoDB as plain Python.

Of DynamoDB: items, queries of several pages, one conditional UpdateItem in the making, and writes that go together.
Ints stay ints, floats pass through Decimal, and None is absent. A condition that does not hold is an answer, no error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from types import MappingProxyType, NoneType
from typing import Any, Final, Generic, TypeVar

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError, ConnectionClosedError

from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.model import Record

_SERIALIZE: Final = TypeSerializer().serialize
_DESERIALIZE: Final = TypeDeserializer().deserialize
_AS_IT_IS: Final = frozenset({str, int, bool, bytes, NoneType})


def again_if_stale(*, endpoint: Any, attempts: int, caught_exception: Exception | None, **_: Any) -> float | None:
    """Return no delay where a first attempt met a connection that is dead; None leaves it to the client's own retries.

    While Lambda keeps a worker frozen, its idle connections are purged (Lambda developer guide, "Best practices for
    working with AWS Lambda functions"). Such an attempt fails at once, so that another one still ends in time. Every
    other idle connection may be dead as well.
    """
    if attempts > 1 or not isinstance(caught_exception, ConnectionClosedError):
        return None
    endpoint.http_session.close()
    return 0.0


@contextmanager
def store_errors(store: str, operation: str) -> Iterator[None]:
    """Turn what botocore raises into `StoreUnavailable`, with the AWS error code as its reason."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise StoreUnavailable(store, operation, code) from error
    except BotoCoreError as error:
        raise StoreUnavailable(store, operation, type(error).__name__) from error


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a mapping to wire form; top-level None is left out."""
    return {name: _SERIALIZE(value) for name, value in _plain(values).items() if value is not None}


def to_attribute(value: Any) -> Any:
    """Convert one value to wire form."""
    return _SERIALIZE(_plain(value))


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Convert an item from wire form to plain Python."""
    return {name: _without_decimals(_DESERIALIZE(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    """Convert a value for the serializer, which knows neither floats nor tuples nor our string enums."""
    match value:
        case float():
            return Decimal(str(value))
        case Mapping():
            return {name: item if type(item) in _AS_IT_IS else _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [item if type(item) in _AS_IT_IS else _plain(item) for item in value]
        case str():
            return str(value)
        case _:
            return value


def _without_decimals(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Binary():
            return bytes(value)  # type: ignore[call-overload]  # it has __bytes__; its stub does not say so
        case dict():
            return {name: _without_decimals(item) for name, item in value.items()}
        case list():
            return [_without_decimals(item) for item in value]
        case _:
            return value


_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Update:
    """Conditions and changes of one UpdateItem."""

    def __init__(self, values: Mapping[str, Any] = _NOTHING, *, digits: int | None = None) -> None:
        """Begin with attributes to set.

        Args:
            values: By attribute. None is left out: absent means absent.
            digits: How many decimals a number keeps, in an update of numbers alone.
        """
        self._digits = digits
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        self._sets: list[str] = []
        self._adds: list[str] = []
        self._drops: list[str] = []
        self._conditions: list[str] = []
        for attribute, value in values.items():
            if value is not None:
                self.let(attribute, value)

    def name(self, attribute: str) -> str:
        """Return the placeholder of an attribute's name."""
        return self._names.setdefault(attribute, f"#n{len(self._names)}")

    def value(self, value: Any) -> str:
        """Return the placeholder of a value."""
        placeholder = f":v{len(self._values)}"
        if self._digits is None:
            self._values[placeholder] = to_attribute(value)
        else:
            self._values[placeholder] = {"N": str(value) if isinstance(value, int) else f"{value:.{self._digits}f}"}
        return placeholder

    def set(self, clause: str) -> None:
        """Add a clause of SET."""
        self._sets.append(clause)

    def let(self, attribute: str, value: Any) -> None:
        """Set an attribute to a value."""
        self.set(f"{self.name(attribute)} = {self.value(value)}")

    def add(self, attribute: str, number: int) -> None:
        """Add to a counter."""
        self._adds.append(f"{self.name(attribute)} {self.value(number)}")

    def drop(self, *attributes: str) -> None:
        """Remove attributes."""
        self._drops += [self.name(attribute) for attribute in attributes]

    def require(self, condition: str) -> None:
        """Add a condition; all must hold."""
        self._conditions.append(condition)

    def fields(self) -> dict[str, Any]:
        """Return the arguments of UpdateItem."""
        parts = (("SET", self._sets), ("ADD", self._adds), ("REMOVE", self._drops))
        given = {
            "UpdateExpression": " ".join(f"{verb} {', '.join(clauses)}" for verb, clauses in parts if clauses),
            "ConditionExpression": " AND ".join(self._conditions),
            "ExpressionAttributeNames": {placeholder: name for name, placeholder in self._names.items()},
            "ExpressionAttributeValues": self._values,
        }
        return {name: value for name, value in given.items() if value}


def compact(records: Sequence[Record]) -> list[dict[str, Any]] | None:
    """Convert records to plain Python without what is absent; None when there are none."""
    return [record.model_dump(mode="json", exclude_none=True) for record in records] or None


def insertion(table: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement that puts an item, in wire form, where there is none."""
    fields = ", ".join([f"'{name}': ?" for name in item])
    return {"Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}', "Parameters": list(item.values())}


def replacement(
    table: str, sets: Mapping[str, Any], removes: tuple[str, ...], where: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the statement that changes the item with these attributes, its key among them. Values in wire form."""
    clauses = [f'SET "{name}"=?' for name in sets] + [f'REMOVE "{name}"' for name in removes]
    conditions = " AND ".join([f'"{name}"=?' for name in where])
    return {
        "Statement": f'UPDATE "{table}" {" ".join(clauses)} WHERE {conditions}',
        "Parameters": [*sets.values(), *where.values()],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def query_all(client: Any, **query: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every item of a query, in wire form."""
    page: dict[str, Any] = {}
    while True:
        answer = client.query(**query, **page)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


REFUSED = "ConditionalCheckFailedException"


def held(write: Callable[[], Any]) -> bool:
    """Make a conditional write. Returns whether its condition held; other errors pass through."""
    try:
        write()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != REFUSED:
            raise
        return False
    return True


T = TypeVar("T")
R = TypeVar("R")

# How long a write waits for those under way in a group commit. A table answers in a few milliseconds; one that hangs
# delays only the writes that are under way.
MAX_WAIT_SECONDS: Final = 0.25


class _Entry(Generic[T, R]):
    def __init__(self, item: T) -> None:
        self.item = item
        self.turn = threading.Event()
        self.done = False
        self.answer: R | Exception


class GroupCommit(Generic[T, R]):
    """Thread-safe. `write` gets one item or several and returns for each its result or its error."""

    def __init__(
        self,
        write: Callable[[Sequence[T]], Sequence[R | Exception]],
        *,
        limit: int,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
    ) -> None:
        """Write at most `limit` items together."""
        self._write = write
        self._limit = limit
        self._max_wait_seconds = max_wait_seconds
        self._waiting: list[_Entry[T, R]] = []
        self._under_way = False
        self._lock = threading.Lock()

    def submit(self, item: T) -> R:
        """Write an item, together with those submitted meanwhile. Raises the error of its own write."""
        entry: _Entry[T, R] = _Entry(item)
        with self._lock:
            first = not self._under_way
            self._under_way = True
            self._waiting.append(entry)
        if first:
            self._lead()
        elif not entry.turn.wait(self._max_wait_seconds) and self._withdrawn(entry):
            self._perform([entry])
        else:
            entry.turn.wait()
            if not entry.done:
                self._lead()
        if isinstance(entry.answer, Exception):
            raise entry.answer
        return entry.answer

    def _withdrawn(self, entry: _Entry[T, R]) -> bool:
        """Take it out of the queue. Returns whether it was still there, neither under way nor called to lead."""
        with self._lock:
            waits = entry in self._waiting and not entry.turn.is_set()
            if waits:
                self._waiting.remove(entry)
        return waits

    def _lead(self) -> None:
        """Write what waits; then the first of those that came meanwhile leads."""
        with self._lock:
            group, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
        self._perform(group)
        with self._lock:
            self._under_way = bool(self._waiting)
            heir = self._waiting[:1]
            for entry in (*group, *heir):
                entry.turn.set()

    def _perform(self, group: Sequence[_Entry[T, R]]) -> None:
        try:
            answers = self._write([entry.item for entry in group])
        except Exception as error:  # noqa: BLE001 # raised again by everyone it concerns
            answers = [error] * len(group)
        for entry, answer in zip(group, answers, strict=True):
            entry.answer, entry.done = answer, True
