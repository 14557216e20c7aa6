"""What is kept of an identical request: the result that is there, and who is about to buy one."""

from __future__ import annotations

from pydantic import Field

from mediarelay.job_records.contract import Output
from mediarelay.vocabulary.model import Record


class Reusable(Record):
    """A result that was bought, as other jobs may be answered with it."""

    job_id: str = Field(description="The job that bought it, in whose folder its files lie.")
    received_at: int = Field(description="When that job was received, unix ms: no file of it is older.")
    settled_at: int = Field(description="When it was settled, unix ms.")
    provider: str | None = None
    model: str | None = None
    voice: str | None = None
    voice_substituted: bool = False
    outputs: list[Output]
    warnings: list[str] = Field(default_factory=list)


class ReuseEntry(Record):
    """One item: what is known of all requests that are identical. Absent fields say that there is none."""

    result: Reusable | None = Field(default=None, description="The newest result.")
    buyer: str | None = Field(default=None, description="The job that is about to buy one.")
    until: int = Field(default=0, description="When it must have ended, unix ms; then another one buys.")
