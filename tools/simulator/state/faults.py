"""Fault rules: what to break, for whom, how often."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from random import Random
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.simulator.wire import NamedErrors, Reply, Trouble, json_reply

from .accounts import KeyHolder, key_id
from .recorded import recorded

Kind = Literal[
    "status", "timeout", "timeout_after", "reset", "reset_after", "truncate", "drip", "wrong_content_type", "latency"
]


class FaultRule(BaseModel):
    """One rule. What is left out matches everything; `operation` may hold `*`.

    `status` answers with `error` (a named vendor error), with `capture` (a recorded answer of a vendor, by its id), or
    with `status`, `body` and `headers`, which also override the parts of the other two. `timeout` never answers;
    `reset` breaks the connection; the `_after` variants do, and bill, the work first. `truncate` and `drip` deliver a
    good answer badly. `latency` adds `seconds`, and other rules still apply.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str | None = None
    kind: Kind = "status"
    vendor: str | None = None
    operation: str | None = None
    account: str | None = None
    key: str | None = Field(default=None, description="a key, or its id")
    match: str | None = Field(default=None, description="part of the request's body")
    error: str | None = None
    capture: str | None = None
    status: int | None = Field(default=None, ge=200, le=599)
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)
    seconds: float = Field(default=1.0, ge=0, description="of a latency rule")
    seconds_per_chunk: float = Field(default=0.2, ge=0)
    chunks: int = Field(default=8, ge=1)
    count: int | None = Field(default=None, ge=1)
    for_seconds: float | None = Field(default=None, gt=0)
    probability: float = Field(default=1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _a_status_rule_says_what_to_answer(self) -> Self:
        if self.kind == "status" and self.error is None and self.capture is None and self.status is None:
            raise ValueError("a rule of kind status needs 'error', 'capture' or 'status'")
        if self.capture is not None and self.capture not in recorded():
            raise ValueError(f"no answer {self.capture!r} is recorded")
        return self


@dataclass(frozen=True)
class Target:
    """The request a rule is held against."""

    vendor: str
    operation: str
    holder: KeyHolder
    body: bytes

    def meets(self, rule: FaultRule) -> bool:
        account = self.holder.account.name if self.holder.account else ""
        return (
            rule.vendor in (None, self.vendor)
            and (rule.operation is None or fnmatchcase(self.operation, rule.operation))
            and rule.account in (None, account)
            and (rule.key is None or self.holder.key_id in (rule.key, key_id(rule.key)))
            and (rule.match is None or _contains(self.body, rule.match))
        )


def _contains(body: bytes, part: str) -> bool:
    # A client may or may not have escaped what is not ASCII.
    return part.encode() in body or json.dumps(part)[1:-1].encode() in body


@dataclass
class _Standing:
    rule: FaultRule
    expires: float | None
    applied: int = 0

    def spent(self, now: float) -> bool:
        used_up = self.rule.count is not None and self.applied >= self.rule.count
        return used_up or (self.expires is not None and now >= self.expires)


@dataclass
class FaultBook:
    """The rules in force, oldest first."""

    dice: Random
    _standing: dict[str, _Standing] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, rule: FaultRule, now: float) -> str:
        """Put a rule in force, replacing one of the same id; returns its id."""
        name = rule.id or f"fault-{next(self._numbers)}"
        expires = None if rule.for_seconds is None else now + rule.for_seconds
        self._standing[name] = _Standing(rule, expires)
        return name

    def remove(self, name: str) -> bool:
        return self._standing.pop(name, None) is not None

    def clear(self) -> None:
        self._standing.clear()

    def choose(self, target: Target, now: float) -> tuple[FaultRule | None, float]:
        """The first rule that decides this request, and the seconds that latency rules add. Counts both as applied."""
        delay = 0.0
        for standing in self._standing.values():
            if (
                standing.spent(now)
                or not target.meets(standing.rule)
                or self.dice.random() >= standing.rule.probability
            ):
                continue
            standing.applied += 1
            if standing.rule.kind != "latency":
                return standing.rule, delay
            delay += standing.rule.seconds
        return None, delay

    def listing(self, now: float) -> list[dict[str, Any]]:
        return [
            standing.rule.model_dump(exclude_defaults=True)
            | {"id": name, "kind": standing.rule.kind, "applied": standing.applied, "active": not standing.spent(now)}
            for name, standing in self._standing.items()
        ]


def named_reply(rule: FaultRule, errors: NamedErrors, trouble: Trouble) -> Reply:
    """The answer a status rule asks for. Raises KeyError when the vendor has no error of that name."""
    if rule.capture:
        base = recorded()[rule.capture]
    else:
        base = errors[rule.error](trouble) if rule.error else json_reply(rule.status or 500, {}, outcome="injected")
    headers = {name.lower(): value for name, value in (*base.headers.items(), *rule.headers.items())}
    base = replace(base, status=rule.status or base.status, headers=headers)
    if rule.body is None:
        return base
    if isinstance(rule.body, str):
        return replace(base, body=rule.body.encode(), content_type="text/plain; charset=utf-8")
    return replace(base, body=json_reply(0, rule.body).body)
