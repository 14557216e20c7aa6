"""The attempt metric: one per provider call, several to an item of the Telemetry table."""

from __future__ import annotations

from pydantic import Field

from mediarelay.vocabulary.model import Record
from mediarelay.vocabulary.outcome import Outcome


class AttemptMetric(Record):
    """One call to one provider with one key."""

    provider: str = Field(description="Who was called.")
    key_id: str = Field(description="With which key: the first 12 hexadecimal digits of its SHA-256.")
    request_id: str = Field(description="The job it was made for.")
    outcome: Outcome = Field(description="What the call came to.")
    started_at: int = Field(description="Unix milliseconds.")
    latency_ms: int = Field(description="Milliseconds from the call to the stored output, or to its failure.")
    status: int | None = Field(default=None, description="HTTP status; absent when no answer came.")
    code: str | None = Field(default=None, description="The vendor's or our own name for the failure; stable.")
    phase: str = Field(
        default="call", description="Of a job that takes minutes: submit, poll or completion; else call."
    )
    model: str | None = Field(default=None, description="Which model was asked for; absent when the item names it.")
    failed_at: list[str] = Field(
        default_factory=list, description="Of a provider's fault: the providers that had failed the same job before."
    )
    cost_usd: float = Field(default=0.0, description="What the vendor charges for it, US dollars.")
