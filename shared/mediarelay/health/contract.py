"""The health record: one per provider, what routing, alerts, API and console read."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from mediarelay.health.circuit.record import CLOSED, Circuit
from mediarelay.health.incident import Incident
from mediarelay.health.judgement import Health, Status
from mediarelay.metrics.tally import LastError
from mediarelay.vocabulary.model import Record
from mediarelay.vocabulary.outcome import Outcome

Rate = Annotated[float, Field(ge=0, le=1)]


class Force(StrEnum):
    """What an operator can force."""

    HEALTHY = "healthy"  # a provider: traffic reaches it, whatever the figures say
    DOWN = "down"  # a provider: no traffic reaches it while another can serve
    DISABLED = "disabled"  # a key: it takes no new work and drains its own


class Override(Record):
    """What an operator has forced. It ends by itself: `expires_at` is part of every condition that reads it."""

    subject: str = Field(description="provider:<name>, or key:<vendor>:<key id>.")
    force: Force = Field(description="healthy or down for a provider, disabled for a key.")
    author: str = Field(description="Who said so.")
    reason: str = Field(description="Why.")
    created_at: float = Field(description="Unix seconds.")
    expires_at: float = Field(description="When it ends, unix seconds.")

    def holds(self, now: float) -> bool:
        """Tell whether it is still in force at *now* (unix seconds)."""
        return now < self.expires_at


class PhaseHealth(Record):
    """The figures of one phase: call, or submit, poll and completion of a provider whose jobs take minutes."""

    samples: int = Field(description="What counts: successes, and requests that this provider alone failed, each once.")
    success_rate: Rate | None = Field(default=None, description="Successes among the samples; null without samples.")
    avg_latency_ms: float | None = Field(default=None, description="Mean over the successes; null without any.")
    p50_ms: float | None = Field(default=None, description="Median latency of the successes, within 1 %.")
    p95_ms: float | None = Field(default=None, description="95th percentile, within 1 %.")
    p99_ms: float | None = Field(default=None, description="99th percentile, within 1 %.")
    throttled: int = Field(description="429s: counted apart, never held against the provider.")
    counts: dict[Outcome, int] = Field(description="All attempts, by outcome.")
    last_error: LastError | None = Field(
        default=None, description="The newest fault of the provider; its moment in unix ms."
    )


class HealthRecord(PhaseHealth):
    """One provider over the last five minutes. Moments are unix seconds unless said otherwise."""

    provider: str = Field(description="Vendor and capability, such as openai-tts.")
    status: Status = Field(description="healthy, degraded or down; idle when the window is empty.")
    since: float = Field(description="Since when.")
    reason: str = Field(description="Why, for people.")
    last_check: float = Field(description="When it was last judged.")
    phases: dict[str, PhaseHealth] = Field(
        default_factory=dict, description="The figures by phase; the record's own are those of the worst."
    )
    circuit: Circuit = Field(default=CLOSED, description="Whether traffic reaches it.")
    incident: Incident = Field(default_factory=Incident, description="What people have been told of it.")
    override: Override | None = Field(default=None, description="What an operator has forced.")
    model_at_fault: str | None = Field(
        default=None, description="The one model that the trouble is of; null when it is the provider's own."
    )
    faults_by_model: dict[str, int] = Field(
        default_factory=dict, description="Requests that it failed, by the model that was asked for."
    )
    heard_from: float = Field(default=0.0, description="Attempts that ended earlier no longer count.")
    pending: Status | None = Field(default=None, description="A status that has not held long enough yet.")
    pending_since: float = Field(default=0.0, description="Since when it does.")
    probed_at: float = Field(default=0.0, description="When a probe was last made.")
    version: int = Field(default=0, description="Counts the writes; a write is conditional on it.")

    @property
    def judged(self) -> Health:
        """Return what the next judgement starts from."""
        return Health(
            status=self.status,
            since=self.since,
            reason=self.reason,
            circuit=self.circuit,
            heard_from=self.heard_from,
            pending=self.pending,
            pending_since=self.pending_since,
            model=self.model_at_fault,
        )

    def forced(self, now: float) -> Force | None:
        """Return what an operator has forced, unless it has expired."""
        return self.override.force if self.override is not None and self.override.holds(now) else None

    def effective(self, now: float) -> Status:
        """Return the status that routing uses."""
        forced = self.forced(now)
        return Status(forced.value) if forced in (Force.HEALTHY, Force.DOWN) else self.status
