"""The alert: what a subscriber of ProviderAlerts receives, as JSON; people receive its texts."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from mediarelay.health.incident import Event
from mediarelay.metrics.tally import LastError
from mediarelay.vocabulary.model import Record
from mediarelay.vocabulary.outcome import Outcome


class Severity(StrEnum):
    """How urgent it is."""

    CRITICAL = "critical"  # a provider is down, or a vendor has no usable key
    WARNING = "warning"
    INFO = "info"  # something is over


class Evidence(Record):
    """The evidence for the alert. Absent fields were not known."""

    window_seconds: int = Field(default=300, description="How far back the figures reach.")
    samples: int | None = Field(default=None, description="Attempts that count.")
    success_rate: float | None = Field(default=None, description="Successes among them, 0 to 1.")
    avg_latency_ms: float | None = Field(default=None, description="Mean latency of the successes.")
    p50_ms: float | None = Field(default=None, description="Median latency.")
    p95_ms: float | None = Field(default=None, description="95th percentile.")
    p99_ms: float | None = Field(default=None, description="99th percentile.")
    counts: dict[Outcome, int] = Field(default_factory=dict, description="All attempts, by outcome.")
    last_error: LastError | None = Field(default=None, description="The newest fault; its moment in unix ms.")
    cooling_keys: int | None = Field(default=None, description="Keys of the vendor that cool now.")
    benched_keys: int | None = Field(default=None, description="Keys that are rejected, out of quota or disabled.")
    queued_requests: int | None = Field(default=None, description="Messages that wait in the request queue.")
    declared_per_minute: float | None = Field(
        default=None, description="Calls a minute that the accounts whose limits are lower declare together."
    )
    measured_per_minute: float | None = Field(default=None, description="What the vendor was measured to allow them.")
    suppressed: int = Field(default=0, description="Changes that were not told one by one while it flapped.")


class AlertFacts(Record):
    """One transition of one subject."""

    version: Literal["1"] = Field(default="1", description="Of this contract. New fields may come without a new one.")
    alert_id: str = Field(description="The same for every delivery of one alert; sorts by time.")
    incident_id: str = Field(description="The same from opened to resolved.")
    event: Event = Field(
        description="opened, changed, resolved, flapping, or digest of a provider that flaps or of a risk that stands."
    )
    subject: str = Field(
        description="provider:<name>, key:<vendor>:<id>, account:<vendor>:<name>, pool:<vendor>, "
        "limit:<provider>, capability:<kind>, or budget: followed by stage or tenant:<name>."
    )
    severity: Severity = Field(description="critical, warning or info.")
    provider: str | None = Field(default=None, description="Of an alert about a provider.")
    vendor: str | None = Field(default=None, description="Of an alert about keys.")
    key_id: str | None = Field(default=None, description="First 12 hexadecimal digits of the key's SHA-256.")
    status: str = Field(description="The status now.")
    previous_status: str = Field(description="The status before.")
    at: float = Field(description="When it changed, unix seconds.")
    opened_at: float = Field(description="When the incident began, unix seconds.")
    summary: str = Field(description="One line for people.")
    reason: str = Field(description="Why the status is what it is.")
    what_to_do: str = Field(description="For the person who receives it.")
    evidence: Evidence = Field(default_factory=Evidence, description="What it rests on.")


class Alert(AlertFacts):
    """One message per transition; SNS may deliver it more than once, always with the same alert_id."""

    also: list[AlertFacts] = Field(
        default_factory=list,
        description="Further incidents of the same vendor that this message tells of, each as an alert.",
    )
