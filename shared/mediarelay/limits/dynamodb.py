"""Limits in the Telemetry table: `pk` = LEASE#provider, `sk` = the owner of the limit.

An `Acquire` is one conditional UpdateItem. DynamoDB's expressions have no maximum, so there are two forms, for a `tat`
that has passed and for one ahead. The worker chooses by its last look; a denial brings the item along, from which the
other form follows when the guess was wrong.

An item holds the slots 0 to 49 of its owner, which with all else fit one write unit; the next fifty each are in an item
of their own, `owner#slots:1` and so on. Slots of those are held first, by a conditional write of each item, and given
back where the permits are then denied: whoever dies in between leaves slots that lapse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from botocore.exceptions import ClientError

from mediarelay.aws.stores import Update, from_item, store_errors
from mediarelay.limits.acquiring import Note
from mediarelay.limits.fairness import LIFETIME_MARKS, TENANT_BUCKETS, Line, newcomer_share
from mediarelay.limits.gcra import REST, WHOLE_ACCOUNT, Acquire, Answer, Denied, Granted, LimitState, acquire
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.local_view import FleetClock
from mediarelay.providers.answers import http_date_seconds
from mediarelay.vocabulary.clock import Clock

_STORE: Final = "lease table"
# An item that was not used for this long is as good as new.
KEPT_SECONDS: Final = 24 * 3600
SLOTS_AN_ITEM: Final = 50
_SLOTS: Final = "#slots:"
_NEVER: Final = "attribute_exists(pk) AND attribute_not_exists(pk)"


class ServerDate:
    """Tells a fleet clock what each answer says; a refusal carries the date as well."""

    def __init__(self, clock: Clock, fleet: FleetClock) -> None:
        self._clock = clock
        self._fleet = fleet

    def timed(self, call: Callable[[], Any]) -> Any:
        """Make the call and note the date of its answer."""
        sent = self._clock.now()
        try:
            answer = call()
        except ClientError as error:
            self._observe(error.response, sent)
            raise
        self._observe(answer, sent)
        return answer

    def _observe(self, answer: Any, sent: float) -> None:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        date = http_date_seconds(headers.get("date", ""))
        if date is not None:
            self._fleet.observe(date, sent=sent, received=self._clock.now())


class DynamoLimits:
    """Implements `limits.ports.LimitStore`."""

    def __init__(self, client: Any, table: str, date: ServerDate) -> None:
        """Learn the table's own time through `date`."""
        self._client = client
        self._table = table
        self._date = date

    def look(self, provider: str, runs: Sequence[Sequence[str]]) -> Mapping[str, LimitState]:
        """See `limits.ports.LimitStore.look`."""
        with store_errors(_STORE, "read leases"):
            items = [item for run in runs for item in self._between(provider, run[0], run[-1])]
        states: dict[str, LimitState] = {}
        for item in items:  # in order of their names, so that an owner's own item comes before those of its slots
            owner, apart, _ = item["sk"]["S"].partition(_SLOTS)
            state = state_of(item)
            states[owner] = _with_slots(states.get(owner, LimitState()), state.slots) if apart else state
        return states

    def take(self, provider: str, ask: Acquire) -> Answer:
        """See `limits.ports.LimitStore.take`."""
        if (ask.limit.slots or 0) <= SLOTS_AN_ITEM:
            return self._permits(provider, ask)
        apart = [slot for slot in ask.slots if int(slot) >= SLOTS_AN_ITEM]
        held, refused = self._hold(provider, ask, apart)
        if refused is not None:
            return Denied(ask, _with_slots(ask.seen, refused))
        answer = self._permits(provider, replace(ask, slots=tuple(slot for slot in ask.slots if slot not in apart)))
        if isinstance(answer, Denied):
            self.release(provider, ask.owner, [(slot, ask.slots_until) for slot in apart])
            held = {}
        return replace(answer, ask=ask, state=_with_slots(answer.state, _apart(ask.seen.slots) | held))

    def _permits(self, provider: str, ask: Acquire) -> Answer:
        ahead = _ahead(ask.seen, ask)
        answer = self._take(provider, ask, ahead=ahead)
        if isinstance(answer, Denied) and _ahead(answer.state, ask) is not ahead:
            wrong_guess = isinstance(acquire(answer.state, ask), Granted)
            return self._take(provider, ask, ahead=not ahead) if wrong_guess else answer
        return answer

    def cut(self, provider: str, name: str, after: LimitState) -> LimitState:
        """See `limits.ports.LimitStore.cut`."""
        update = Update(digits=MICROSECONDS)
        update.let("tat", after.tat)
        update.let("epoch", after.epoch)
        update.let("throttled_at", after.throttled_at)
        update.let("ttl", round(after.tat) + KEPT_SECONDS)
        if after.refused:
            update.let("refused", after.refused)
        update.drop("lane", *BUCKETS)
        pace_fields(update, after.pace)
        require_epoch(update, after.epoch - 1)
        return _with_slots(self._write(provider, name, update, "cut a pace")[1], _apart(after.slots))

    def note(self, provider: str, note: Note) -> LimitState:
        """See `limits.ports.LimitStore.note`."""
        update = Update(digits=MICROSECONDS)
        update.let("throttled_at", note.at)
        update.let("ttl", round(note.at) + KEPT_SECONDS)
        update.add("refused", 1)
        if note.rests_until is not None:
            update.let(f"block:{REST}", note.rests_until)
        if note.pace is not None:
            pace_fields(update, note.pace)
        require_epoch(update, note.seen.epoch)
        return _with_slots(self._write(provider, note.name, update, "count a refusal")[1], _apart(note.seen.slots))

    def block(self, provider: str, owner: str, key_id: str, until: float | None) -> None:
        """See `limits.ports.LimitStore.block`."""
        update = Update(digits=MICROSECONDS)
        name = f"block:{key_id}"
        if until is None:
            update.drop(name)
            update.require(f"attribute_exists({update.name(name)})")
        else:
            update.let(name, until)
            update.let("ttl", round(until) + KEPT_SECONDS)
        self._write(provider, owner, update, "block a key")

    def release(self, provider: str, owner: str, slots: Sequence[tuple[str, float]]) -> None:
        """See `limits.ports.LimitStore.release`."""
        for slot, until in slots:
            update = Update(digits=MICROSECONDS)
            update.drop(f"slot:{slot}")
            update.require(f"{update.name(f'slot:{slot}')} = {update.value(until)}")
            self._write(provider, _place(owner, slot), update, "release a slot")

    # --- within ---------------------------------------------------------------------------------------------------

    def _hold(
        self, provider: str, ask: Acquire, slots: Sequence[str]
    ) -> tuple[dict[str, float], Mapping[str, float] | None]:
        """Hold slots that are in items of their own: all, or none.

        Returns all slots that are then held in those items; and, where it could not be, those of the one that refused.
        """
        places: dict[str, list[str]] = {}
        for slot in slots:
            places.setdefault(_place(ask.owner, slot), []).append(slot)
        found: dict[str, float] = {}
        mine: list[tuple[str, float]] = []
        for place, numbers in places.items():
            update = Update(digits=MICROSECONDS)
            _let_slots(update, numbers, ask, update.value(ask.now))
            update.let("ttl", round(ask.now) + KEPT_SECONDS)
            held, state = self._write(provider, place, update, "hold slots")
            if not held:
                self.release(provider, ask.owner, mine)
                return {}, state.slots
            mine += [(slot, ask.slots_until) for slot in numbers]
            found |= state.slots
        return found, None

    def _take(self, provider: str, ask: Acquire, *, ahead: bool) -> Answer:
        update = Update(digits=MICROSECONDS)
        now = update.value(ask.now)
        for held in (f"block:{WHOLE_ACCOUNT}", f"block:{REST}", f"block:{ask.key_id}"):
            _require_passed(update, held, now)
        _let_slots(update, ask.slots, ask, now)
        if ask.rebase is not None:
            pace_fields(update, ask.rebase)
            require_epoch(update, ask.seen.epoch)
        update.let("ttl", round(ask.now) + KEPT_SECONDS)
        update.add("used", ask.count)
        (_tail if ask.line is Line.TAIL else _newcomer)(update, ask, now, ahead=ahead)
        granted, state = self._write(provider, ask.owner, update, "take permits")
        if not granted:
            return Denied(ask, state)
        if ask.line is not Line.TAIL:
            return Granted(ask, state, (ask.now,) * ask.count)
        return Granted(ask, state, ask.starts(state.tat - ask.advance if ahead else 0.0))

    def _write(self, provider: str, owner: str, update: Update, operation: str) -> tuple[bool, LimitState]:
        """Returns whether it was written, and the item after that or, if it was not, the item that prevented it."""
        with store_errors(_STORE, operation):
            try:
                answer = self._date.timed(
                    lambda: self._client.update_item(
                        TableName=self._table,
                        Key={"pk": {"S": _partition(provider)}, "sk": {"S": owner}},
                        ReturnValues="ALL_NEW",
                        ReturnValuesOnConditionCheckFailure="ALL_OLD",
                        **update.fields(),
                    )
                )
            except ClientError as error:
                if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                    raise
                item: Mapping[str, Any] = error.response.get("Item", {})  # type: ignore[assignment]  # not in the stubs
                return False, state_of(item)
        return True, state_of(answer["Attributes"])

    def _between(self, provider: str, first: str, last: str) -> Sequence[Any]:
        answer = self._date.timed(
            lambda: self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues={
                    ":pk": {"S": _partition(provider)},
                    ":first": {"S": first},
                    ":last": {"S": f"{last}{_SLOTS}~"},
                },
            )
        )
        found: Sequence[Any] = answer["Items"]
        return found


def _partition(provider: str) -> str:
    return f"LEASE#{provider}"


def _place(owner: str, slot: str) -> str:
    """Return the name of the item in which a slot is."""
    number = int(slot) // SLOTS_AN_ITEM
    return f"{owner}{_SLOTS}{number}" if number else owner


def _apart(slots: Mapping[str, float]) -> dict[str, float]:
    """Return the slots that are not in their owner's own item."""
    return {slot: until for slot, until in slots.items() if int(slot) >= SLOTS_AN_ITEM}


def _with_slots(state: LimitState, more: Mapping[str, float]) -> LimitState:
    """Return the state with further slots; where both have one, it is held for as long as either says."""
    both = {slot: max(until, state.slots.get(slot, 0.0)) for slot, until in more.items()}
    return replace(state, slots={**state.slots, **both})


def _require_passed(update: Update, name: str, now: str) -> None:
    named = update.name(name)
    update.require(f"(attribute_not_exists({named}) OR {named} <= {now})")


def _let_slots(update: Update, slots: Sequence[str], ask: Acquire, now: str) -> None:
    for slot in slots:
        _require_passed(update, f"slot:{slot}", now)
        update.let(f"slot:{slot}", ask.slots_until)


def _ahead(state: LimitState, ask: Acquire) -> bool:
    """Whether the number to be advanced lies in the future."""
    return (state.tat if ask.line is Line.TAIL else state.newcomer_tat or 0.0) >= ask.now


def _tail(update: Update, ask: Acquire, now: str, *, ahead: bool) -> None:
    tat, advance = update.name("tat"), update.value(ask.advance)
    if ahead:
        update.require(f"{tat} BETWEEN {now} AND {update.value(max(ask.latest_tat, ask.now - 1.0))}")
    else:
        update.require(f"(attribute_not_exists({tat}) OR {tat} < {now})")
        if ask.now > ask.latest_tat:
            update.require(_NEVER)
    tail = f"{tat} + {advance}" if ahead else f"{now} + {advance}"
    update.set(f"{tat} = {tail}")
    for bucket in (*ask.buckets, *ask.marks):
        update.set(f"{update.name(f'queue:{bucket}')} = {tail}")
    if ask.alone and ahead:
        update.require(f"attribute_not_exists({update.name('lane')})")
    elif not ask.queueing:
        update.drop("lane")
    elif ahead and not ask.opens:
        update.set(
            f"{update.name('lane')} = if_not_exists({update.name('lane')}, {update.value(ask.newcomer_opening)})"
        )
    else:
        update.let("lane", ask.newcomer_opening)


def _newcomer(update: Update, ask: Acquire, now: str, *, ahead: bool) -> None:
    share = newcomer_share(ask.limit)
    tat, advance = update.name("lane"), update.value(ask.count * share.interval)
    update.require(f"attribute_exists({tat}) AND {tat} <= {update.value(ask.latest_newcomer_tat)}")
    update.require(f"{tat} >= {now}" if ahead else f"{tat} < {now}")
    if ask.count > share.burst - share.leaves(ask.line):
        update.require(_NEVER)
    update.set(f"{tat} = {tat} + {advance}" if ahead else f"{tat} = {now} + {advance}")


BUCKETS: Final = (
    *(f"queue:{number:x}" for number in range(TENANT_BUCKETS)),
    *(f"queue:{mark}" for mark in LIFETIME_MARKS),
)
_PACE: Final = ("base", "since", "ceiling", "mark", "marked_at", "refused", "before", "loss", "noise", "hold", "proven")
# What says nothing is not written.
_LEFT_OUT: Final = {"refused": 0, "loss": 0.0, "noise": 0.0, "hold": 0.0}
MICROSECONDS: Final = 6  # the digits of every number


def require_epoch(update: Update, epoch: int) -> None:
    """Let the update be written in this epoch alone; a new item is in epoch 0."""
    name = update.name("epoch")
    new = f"attribute_not_exists({name}) OR " if epoch == 0 else ""
    update.require(f"({new}{name} = {update.value(epoch)})")


def pace_fields(update: Update, pace: LearnedRate | None) -> None:
    """Write the pace down; the parts it does not have are removed."""
    for field in _PACE:
        number = None if pace is None else getattr(pace, field)
        if number is None or number == _LEFT_OUT.get(field):
            update.drop(f"pace:{field}")
        else:
            update.let(f"pace:{field}", number)


def state_of(item: Mapping[str, Any]) -> LimitState:
    """The state in an item; a new one when there is none."""
    values = from_item({name: value for name, value in item.items() if name not in {"pk", "sk"}})
    pace = {name: values[f"pace:{name}"] for name in _PACE if f"pace:{name}" in values}
    groups: dict[str, dict[str, float]] = {"block": {}, "queue": {}, "slot": {}}
    for name, value in values.items():
        group, colon, member = name.partition(":")
        if colon and group in groups:
            groups[group][member] = float(value)
    return LimitState(
        tat=float(values.get("tat", 0.0)),
        newcomer_tat=values.get("lane"),
        epoch=values.get("epoch", 0),
        used=values.get("used", 0),
        refused=values.get("refused", 0),
        blocks=groups["block"],
        queued=groups["queue"],
        slots=groups["slot"],
        pace=LearnedRate(**{"ceiling": None, **pace}) if pace else None,
        throttled_at=values.get("throttled_at", 0.0),
    )
