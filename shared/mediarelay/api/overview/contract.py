"""What the overview holds: short lines, since it is read every few seconds. Moments are unix seconds."""

from __future__ import annotations

from pydantic import Field

from mediarelay.alerts.contract import Severity
from mediarelay.api.contract import KeyView
from mediarelay.api.tokens import Role
from mediarelay.health.contract import Force, Override
from mediarelay.health.incident import Event
from mediarelay.health.judgement import Status
from mediarelay.keys.states import KeyStatus
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.model import Record


class Me(Record):
    """Whose token asks."""

    name: str = Field(description="Of the token.")
    role: Role = Field(description="What it may do.")
    tenant: str | None = Field(default=None, description="Of a publisher.")


class QueueDepth(Record):
    """Messages of the queues of requests, as SQS counts them: approximately."""

    waiting: int = Field(description="That a worker may take now.")
    delayed: int = Field(description="Put off for a while.")
    in_flight: int = Field(description="With a worker.")
    dead: int = Field(description="In the dead-letter queue.")


class ProviderLine(Record):
    """One provider in a line."""

    name: str = Field(description="Such as openai-tts.")
    vendor: str = Field(description="Whose keys it uses.")
    kind: Kind = Field(description="What it makes.")
    status: Status = Field(description="What routing goes by.")
    since: float | None = Field(description="Since when the figures say so; null for one nobody has called.")
    reason: str = Field(description="Why, for people.")
    samples: int = Field(description="What counts of the last five minutes.")
    success_rate: float | None = Field(description="0 to 1; null without samples.")
    p50_ms: int | None = Field(description="Median latency of the successes.")
    p95_ms: int | None = Field(description="95th percentile of them.")
    throttled: int = Field(description="429s of the last five minutes.")
    open_until: float | None = Field(description="While its circuit is open: when the next trial may be made.")
    forced: Force | None = Field(description="What an operator has forced.")
    cost_today_usd: float | None = Field(description="What it certainly charged today (UTC); null where not known.")
    done: list[int] = Field(description="Successes of six hours in spans of ten minutes, oldest first; empty if none.")
    faults: list[int] = Field(description="Faults likewise.")


class KeyLines(Record):
    """The keys of all vendors together."""

    counts: dict[KeyStatus, int] = Field(description="How many, by status.")
    not_active: list[KeyView] = Field(description="Those that are not active, the soonest free first; 12 at most.")


class IncidentLine(Record):
    """The newest that was told of one incident."""

    incident_id: str = Field(description="The same from opened to resolved.")
    alert_id: str = Field(description="Of the newest alert.")
    subject: str = Field(description="What it is about, such as provider:openai-tts.")
    severity: Severity = Field(description="critical, warning or info.")
    event: Event = Field(description="resolved, or what was told last of an open one.")
    at: float = Field(description="When that was.")
    opened_at: float = Field(description="When the incident began.")
    summary: str = Field(description="One line for people.")


class DayTotal(Record):
    """Settled jobs of today (UTC), as the ledger has them, at most a minute old."""

    jobs: int = Field(description="How many.")
    succeeded: int = Field(description="Those that succeeded.")
    failed: int = Field(description="Failed, expired and rejected ones.")
    cost_usd: float = Field(description="What is certainly charged.")
    uncertain_usd: float = Field(description="What may have been charged besides.")


class Overview(Record):
    """Everything that the console's first view shows. What could not be read is null, and named in the warnings."""

    now: float = Field(description="When this was read.")
    stage: str = Field(description="Of the deployment.")
    me: Me = Field(description="Who asks, and what the console may offer.")
    queue: QueueDepth | None = Field(description="What waits.")
    providers: list[ProviderLine] = Field(description="In the order they are tried when nothing else decides.")
    series_until: float | None = Field(description="Where the last span of `done` and `faults` ends.")
    keys: KeyLines | None = Field(description="Of all vendors.")
    incidents: list[IncidentLine] | None = Field(description="The open ones, then the newest; 10 at most.")
    overrides: list[Override] | None = Field(description="Those that hold now.")
    today: DayTotal | None = Field(description="What was settled and what it cost.")
    warnings: list[str] = Field(description="Which store is away, and what is missing for it.")
