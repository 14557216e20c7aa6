"""What the HTTP API takes and gives. Moments are unix seconds unless said otherwise; keys are named by their ids."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mediarelay.alerts.contract import Alert
from mediarelay.announce.contract import ResultOutput
from mediarelay.health.contract import Force, HealthRecord, Override
from mediarelay.health.judgement import Status
from mediarelay.job_records.contract import JobRecord
from mediarelay.keys.states import KeyStatus
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.model import Record

# A forgotten override is worse than none: a week is the longest.
LONGEST_OVERRIDE_SECONDS = 7 * 24 * 3600
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
Subject = Annotated[str, StringConstraints(pattern=r"^(provider:[a-z0-9-]{1,40}|key:[a-z0-9]{1,20}:[0-9a-f]{12})$")]


class ProviderHealth(Record):
    """One provider as routing sees it."""

    provider: str = Field(description="Vendor and capability, such as openai-tts.")
    vendor: str = Field(description="Whose keys it uses.")
    kind: Kind = Field(description="What it makes.")
    effective_status: Status = Field(description="What routing goes by: an override counts before the figures.")
    record: HealthRecord | None = Field(description="The health record; null for a provider nobody has called yet.")


class HealthOverview(Record):
    """Every provider."""

    now: float = Field(description="When this was read.")
    providers: list[ProviderHealth] = Field(description="In the order they are tried when nothing else decides.")


class HistoryPoint(Record):
    """Ten seconds of one provider, all phases together."""

    start: int = Field(description="When they began.")
    samples: int = Field(description="Attempts that count.")
    faults: int = Field(description="Faults of the provider among them.")
    throttled: int = Field(description="429s, which do not count.")
    success_rate: float | None = Field(description="0 to 1; null without samples.")
    p50_ms: float | None = Field(description="Median latency of the successes.")
    p95_ms: float | None = Field(description="95th percentile of them.")


class SeriesPoint(Record):
    """Five minutes of one provider."""

    start: int = Field(description="When they began.")
    done: int = Field(description="Successes.")
    faults: int = Field(description="Faults of the provider.")
    throttled: int = Field(description="429s, which do not count.")
    p50_ms: int | None = Field(description="Median latency of the successes; null without any.")
    p95_ms: int | None = Field(description="95th percentile of them.")


class ProviderDetail(ProviderHealth):
    """One provider with its recent past."""

    history: list[HistoryPoint] = Field(description="Oldest first; spans without any attempt are left out.")
    series: list[SeriesPoint] = Field(description="Six hours likewise, up to some minutes ago.")


class KeyLimit(Record):
    """What is known of one limit that a key draws on, at one provider."""

    provider: str = Field(description="Where.")
    per_minute: float | None = Field(description="Calls a minute that the vendor was measured to allow; null if not.")
    taken: int = Field(description="Permits ever taken of it: two reads tell how fast.")
    refused: int = Field(description="Calls that the vendor ever refused for the rate.")
    at_work: int = Field(description="Calls that hold one of its slots, where the account has a bound of concurrency.")
    blocked_until: float | None = Field(description="When it may be used again; null when it may.")


class KeyView(Record):
    """One key and what is known of it."""

    vendor: str = Field(description="Whose it is.")
    key_id: str = Field(description="First 12 hexadecimal digits of its SHA-256.")
    account: str = Field(description="Whose quota it draws on.")
    status: KeyStatus = Field(description="The worst of what holds now.")
    provider: str | None = Field(description="Where that holds; null for the whole vendor.")
    until: float | None = Field(description="When it ends by itself; null when it does not.")
    code: str | None = Field(description="The vendor's marker.")
    override: Override | None = Field(description="What an operator has forced.")
    limits: list[KeyLimit] = Field(
        default_factory=list, description="Those of its account, of providers of its vendor that were called lately."
    )


class KeyList(Record):
    """Every key, by id."""

    now: float = Field(description="When this was read.")
    keys: list[KeyView] = Field(description="By vendor.")


class JobView(JobRecord):
    """A job with links to its outputs."""

    links: list[ResultOutput] = Field(description="Presigned, in the order of the outputs.")


class JobList(Record):
    """The jobs of one request: one, or one per provider of strategy all."""

    request_id: str = Field(description="The publisher's id, or the SQS message id.")
    version: str = Field(default="", description="Another one after every change of a record.")
    jobs: list[JobView] = Field(description="Never empty.")


class IncidentList(Record):
    """The newest alerts."""

    alerts: list[Alert] = Field(description="Newest first.")


class OverrideList(Record):
    """What operators have forced."""

    now: float = Field(description="When this was read.")
    overrides: list[Override] = Field(description="Those that hold now.")


class BudgetSum(Record):
    """Money of one budget, US dollars."""

    spent_usd: float = Field(description="What the vendors charged, or may have.")
    reserved_usd: float = Field(description="What is set aside for jobs that have not ended.")


class ProviderBudget(BudgetSum):
    """What of it went to one provider, or probably will."""

    provider: str


class BudgetView(BudgetSum):
    """One budget in this month, UTC."""

    payer: str = Field(description="stage, or tenant: and its name.")
    month: str = Field(description="Such as 2026-11.")
    month_usd: float | None = Field(description="The budget of the month; null for no bound.")
    month_left_usd: float | None = Field(description="What is neither spent nor reserved of it.")
    day_usd: float | None = Field(description="The budget of a day; null for no bound.")
    day_used_usd: float = Field(description="What is spent or reserved today.")
    day_left_usd: float | None = Field(description="What is neither of it.")
    providers: list[ProviderBudget] = Field(description="By provider.")


class BudgetList(Record):
    """Every budget of which anything was set aside this month."""

    now: float = Field(description="When this was read.")
    budgets: list[BudgetView] = Field(description="By payer.")


class AuditEntry(Record):
    """One thing that was changed through the API."""

    at: float = Field(description="When, unix seconds.")
    author: str = Field(description="Whose token it was.")
    action: str = Field(description="What was done, such as override.set, override.clear or dlq.redrive.")
    subject: str = Field(description="To what, such as provider:openai-tts or a request's id.")
    reason: str | None = Field(default=None, description="Why, where it was said.")
    before: str | None = Field(default=None, description="What held before, in words.")
    after: str | None = Field(default=None, description="What holds since, in words.")


class AuditList(Record):
    """What was changed."""

    now: float = Field(description="When this was read.")
    entries: list[AuditEntry] = Field(description="Newest first.")


class OverrideOrder(BaseModel):
    """What an operator wants to force. It must end: there is no override without an expiry."""

    model_config = ConfigDict(extra="forbid")

    subject: Subject = Field(description="provider:<name>, or key:<vendor>:<key id>.")
    force: Force = Field(description="healthy or down for a provider, disabled for a key.")
    author: Words | None = Field(default=None, description="Not read: the author is whose token it is.")
    reason: Words = Field(description="Why.")
    expires_in_seconds: int = Field(ge=1, le=LONGEST_OVERRIDE_SECONDS, description="How long it holds.")
