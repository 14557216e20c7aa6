"""Counters, and the ledger of what was bought."""

from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from tools.simulator.wire import Purchase, Reply

from .accounts import KeyHolder, key_id

_VERBATIM_CHARACTERS = 200
_EXCERPT_CHARACTERS = 80
_UNMATCHED_KEPT = 100
_CALLS_KEPT = 20_000


@dataclass
class Row:
    """Counters of one vendor, operation, account and key."""

    requests: int = 0
    paid: int = 0
    units: float = 0.0
    cost: float = 0.0
    in_flight: int = 0
    max_in_flight: int = 0
    by_status: Counter[str] = field(default_factory=Counter)
    by_outcome: Counter[str] = field(default_factory=Counter)

    def enter(self) -> None:
        self.requests += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self, reply: Reply) -> None:
        self.in_flight -= 1
        self.by_outcome[reply.outcome] += 1
        if reply.status:
            self.by_status[str(reply.status)] += 1


@dataclass
class Gauge:
    """Requests of an account that are being worked on."""

    in_flight: int = 0
    max_in_flight: int = 0

    def change(self, by: int) -> None:
        self.in_flight += by
        self.max_in_flight = max(self.max_in_flight, self.in_flight)


@dataclass(frozen=True)
class CallSeen:
    """One request to a vendor; moments in unix seconds, when it had arrived and when its answer had left."""

    vendor: str
    operation: str
    key_id: str
    began: float
    ended: float
    outcome: str


def label(text: str) -> str:
    """A request's text as the ledger names it: itself, or its hash and beginning when long."""
    return text if len(text) <= _VERBATIM_CHARACTERS else f"{key_id(text)}:{text[:_EXCERPT_CHARACTERS]}"


class Stats:
    """All that a simulator counted since it started or was reset."""

    def __init__(self) -> None:
        self._rows: defaultdict[tuple[str, str, str, str], Row] = defaultdict(Row)
        self._gauges: defaultdict[tuple[str, str], Gauge] = defaultdict(Gauge)
        self._paid: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._unmatched: Counter[str] = Counter()
        self.calls: deque[CallSeen] = deque(maxlen=_CALLS_KEPT)
        self.media_fetched = 0
        self.leaked_credentials = 0
        self.foreign_polls = 0

    def row(self, vendor: str, operation: str, holder: KeyHolder) -> Row:
        account = holder.account.name if holder.account else ""
        return self._rows[vendor, operation, account, holder.key_id]

    def gauge(self, vendor: str, account: str) -> Gauge:
        return self._gauges[vendor, account]

    def unmatched(self, method: str, path: str) -> None:
        line = f"{method} {path}"
        if line in self._unmatched or len(self._unmatched) < _UNMATCHED_KEPT:
            self._unmatched[line] += 1

    def bought(self, vendor: str, row: Row, purchase: Purchase, sign: int = 1) -> None:
        """Book a paid success, or with sign -1 take one back that the vendor refunds."""
        row.paid += sign
        row.units += sign * purchase.units
        row.cost += sign * purchase.cost
        ledger = self._paid[vendor]
        ledger[label(purchase.text)] += sign
        if not ledger[label(purchase.text)]:
            del ledger[label(purchase.text)]

    def paid(self, vendor: str | None = None) -> dict[str, int]:
        """Request text to number of paid successes, for one vendor or for all together."""
        chosen = [self._paid[vendor]] if vendor else self._paid.values()
        return dict(sum(chosen, Counter[str]()))

    def snapshot(self) -> dict[str, Any]:
        names = ("vendor", "operation", "account", "key_id")
        rows = list(self._rows.values())
        return {
            "requests": sum(row.requests for row in rows),
            "paid": sum(row.paid for row in rows),
            "in_flight": sum(row.in_flight for row in rows),
            "by_status": dict(sum((row.by_status for row in rows), Counter[str]())),
            "by_outcome": dict(sum((row.by_outcome for row in rows), Counter[str]())),
            "media_fetched": self.media_fetched,
            "leaked_credentials": self.leaked_credentials,
            "foreign_polls": self.foreign_polls,
            "unmatched": dict(self._unmatched),
            "accounts": [
                {"vendor": vendor, "account": account, **vars(gauge)}
                for (vendor, account), gauge in self._gauges.items()
            ],
            "rows": [dict(zip(names, at, strict=True)) | vars(row) for at, row in self._rows.items()],
        }
