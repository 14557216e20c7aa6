"""What was used, as the API tells it."""

from __future__ import annotations

from pydantic import Field

from mediarelay.vocabulary.model import Record


class UsageTotal(Record):
    """What was used of one day, tenant, provider and model; null for what the totals are not told apart by."""

    day: str | None = Field(default=None, description="The day on which the jobs were settled, UTC.")
    tenant: str | None = Field(default=None, description="Whom it was for; empty for requests without a tenant.")
    provider: str | None = Field(default=None, description="Who delivered or was paid; empty where nobody was.")
    model: str | None = Field(default=None, description="The model that was used; empty where none was.")
    jobs: int = Field(default=0, description="Settled jobs: those that it delivered, or was the last to be tried for.")
    succeeded: int = Field(default=0, description="Those that succeeded.")
    failed: int = Field(default=0, description="Those that failed.")
    expired: int = Field(default=0, description="Those that expired.")
    rejected: int = Field(default=0, description="Those that were rejected.")
    cached: int = Field(default=0, description="Succeeded with the file of an identical job.")
    purchases: int = Field(default=0, description="What was bought or may have been, also for jobs others delivered.")
    uncertain: int = Field(default=0, description="Purchases of which nobody knows whether they were charged.")
    cost_usd: float = Field(default=0.0, description="What is certainly charged, US dollars.")
    uncertain_usd: float = Field(default=0.0, description="What may have been charged besides, by estimates.")
    seconds: float = Field(default=0.0, description="From claimed to settled, of all jobs together.")


class UsageReport(Record):
    """Usage of some days."""

    first: str = Field(description="The first day, UTC.")
    last: str = Field(description="The last day.")
    by: list[str] = Field(description="What the totals are told apart by.")
    totals: list[UsageTotal] = Field(description="In the order of what they are told apart by.")
    whole: UsageTotal = Field(description="The sum.")
