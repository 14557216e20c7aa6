"""The scenario file: what is published, what operators declared, and what vendors do in truth.

Moments and durations are seconds of virtual time. A field that is left out has the default below.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from mediarelay.keys.parsing import CREDENTIALS
from mediarelay.providers import listing
from mediarelay.vocabulary.kinds import Kind, Strategy
from tools.simulator.state.recorded import recorded

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]
PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
SECONDS_PER_MINUTE: Final = 60.0


class UnusableScenario(Exception):
    """The file describes no run; the message is one line that says why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Account(_Strict):
    """An account, as the secret tells of it."""

    keys: Count = Field(default=1, description="How many keys the account has.")
    repeat: Count = Field(default=5, description="So many accounts like it.")
    rpm: PositiveNumber | None = Field(default=600, description="Requests a minute; null: nothing declared.")
    burst: Count | None = Field(default=None, description="Requests at once; null: nothing declared.")
    concurrency: Count | None = Field(default=None, description="Calls at once; null: nothing declared.")
    weight: PositiveNumber = Field(default=1, description="The part of the calls that each key gets.")
    units_per_minute: PositiveNumber | None = Field(
        default=None, description="Characters or tokens a minute; null: nothing declared."
    )


class AddedAccount(Account):
    """An account that an operator adds: one, unless it says how many."""

    repeat: Count = Field(default=1, description="So many accounts like it.")


class LimitKind(StrEnum):
    """How a vendor limits an account in truth."""

    TOKEN_BUCKET = "token_bucket"  # noqa: S105 # no password
    FIXED_WINDOW = "fixed_window"
    SLIDING_WINDOW = "sliding_window"
    CONCURRENCY = "concurrency"
    NONE = "none"

    @property
    def has_rate(self) -> bool:
        """Whether it limits how many calls begin."""
        return self not in {LimitKind.CONCURRENCY, LimitKind.NONE}


class VendorTruth(_Strict):
    """What a vendor does, whatever was declared."""

    limit: LimitKind = Field(
        default=LimitKind.TOKEN_BUCKET, description="How calls are limited; a fixed window resets at each full minute."
    )
    per: Literal["account", "pool"] = Field(
        default="account", description="What has the limit; pool: all keys are secretly one account's."
    )
    rate: PositiveNumber | None = Field(
        default=5.0,
        description="Permits a second; a window gives sixty times as many a minute. Null: what the account declares.",
    )
    burst: Count | None = Field(
        default=20, description="Permits at once after a rest. Null: what the account declares."
    )
    concurrency: Count | None = Field(
        default=None,
        description="Calls at once, beside a limit of the rate as well. Null: where concurrency is the limit, what the "
        "account declares.",
    )
    counts: Literal["requests", "characters"] = Field(
        default="requests", description="What a permit is for; rate and burst are then characters."
    )
    wait: Literal["right", "none", "epoch", "huge", "zero"] = Field(
        default="right",
        description="What a refusal says of the wait: the right one, nothing, a moment of unix time, an hour, or zero.",
    )
    random_refusals: Part = Field(default=0.0, description="Part of the calls that are refused whatever the rate.")
    outside: Part = Field(default=0.0, lt=1, description="Part of the rate that another program takes.")


class Pool(_Strict):
    """A vendor's accounts, as they are declared and as they are."""

    accounts: list[Account] = Field(default_factory=lambda: [Account()], description="What the secret says.")
    vendor: VendorTruth = Field(default_factory=VendorTruth, description="What the vendor does, in truth.")


class Service(_Strict):
    """How long a call takes: lognormal, and at most twice its p99, where vendors end a call themselves."""

    median: PositiveNumber = Field(default=0.05, description="Seconds that half of the calls take at most.")
    p99: PositiveNumber | None = Field(
        default=None, description="Seconds that 99 of 100 calls take at most; null: all take the median."
    )
    noon: PositiveNumber | None = Field(
        default=None, description="What the median swells to and back once a day, from midnight; null: it stays."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.p99 is not None and self.p99 < self.median:
            raise ValueError("p99 is below the median")
        return self


class Arrivals(_Strict):
    """Requests that are published."""

    since: Seconds = Field(default=0.0, alias="from", description="When the first may come.")
    to: Seconds | None = Field(default=None, description="When none comes any more; null: the scenario's seconds.")
    rate: PositiveNumber = Field(default=25.0, description="Requests a second.")
    pattern: Literal["poisson", "even", "bursts"] = Field(
        default="poisson", description="How they lie in time; bursts: many at once, then none for a while."
    )
    size: Count | None = Field(
        default=None,
        description="Requests of one burst, or that come together at a moment of chance; null: as many as the rate "
        "brings, or one.",
    )
    every: PositiveNumber | None = Field(
        default=None, description="Seconds from burst to burst; null: as many as the rate needs."
    )
    tenant: str | None = Field(default=None, min_length=1, description="Whose they are; null: nobody is named.")
    characters: Count = Field(default=100, description="Length of each text or prompt.")
    timeout: Count = Field(default=3600, description="Seconds after which a request expires.")
    text: str | None = Field(default=None, min_length=1, description="What each of them says; null: anything.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.to is not None and self.to < self.since:
            raise ValueError("to is before from")
        if self.pattern == "bursts" and self.size is None and self.every is None:
            raise ValueError("bursts need size or every")
        return self


class TruthChange(_Strict):
    """Fields of a vendor's truth that change; those that are left out stay."""

    limit: LimitKind | None = Field(default=None, description="How calls are limited from then on.")
    per: Literal["account", "pool"] | None = Field(default=None, description="What has the limit from then on.")
    counts: Literal["requests", "characters"] | None = Field(default=None, description="What a permit is for.")
    rate: PositiveNumber | None = Field(default=None, description="Permits a second.")
    burst: Count | None = Field(default=None, description="Permits at once after a rest.")
    concurrency: Count | None = Field(default=None, description="Calls at once.")
    wait: Literal["right", "none", "epoch", "huge", "zero"] | None = Field(
        default=None, description="What a refusal says of the wait."
    )
    random_refusals: Part | None = Field(default=None, description="Part of the calls refused whatever the rate.")
    outside: Part | None = Field(default=None, lt=1, description="Part of the rate that another program takes.")


class Change(_Strict):
    """Something changes at a moment: the vendor's truth, or the accounts of the secret."""

    at: Seconds = Field(description="When.")
    vendor: str = Field(description="Whose limits or accounts.")
    truth: TruthChange | None = Field(default=None, alias="set", description="What the vendor does from then on.")
    remove_account: int | None = Field(
        default=None, ge=0, description="The number of the account that leaves the secret, the first being 0."
    )
    add_account: AddedAccount | None = Field(default=None, description="What is added to the secret.")
    reject_account: int | None = Field(
        default=None, ge=0, description="The number of the account whose keys the vendor rejects from then on."
    )
    exhaust_account: int | None = Field(
        default=None, ge=0, description="The number of the account that has no money left from then on."
    )

    @property
    def lost_account(self) -> int | None:
        """The number of the account that serves nobody from then on."""
        numbers = (self.remove_account, self.reject_account, self.exhaust_account)
        return next((each for each in numbers if each is not None), None)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.truth, self.add_account, self.lost_account)) != 1:
            raise ValueError("a change has one of set, add_account, remove_account, reject_account, exhaust_account")
        return self


class Fault(_Strict):
    """Calls that a provider answers in another way."""

    since: Seconds = Field(default=0.0, alias="from", description="From when.")
    to: Seconds | None = Field(default=None, description="Until when; null: always.")
    provider: str = Field(description="Which provider.")
    answer: str = Field(description="An HTTP status, or the id of a recorded answer (tools/captures/recorded).")
    share: Part = Field(default=1.0, description="Of so many of the calls.")
    text: str | None = Field(default=None, description="Only of requests that say this; null: of any.")
    model: str | None = Field(default=None, description="Only of this model; null: of any.")


class Outage(_Strict):
    """A store that refuses everything for a while."""

    store: Literal["telemetry", "jobs", "results", "secret"] = Field(description="Which.")
    since: Seconds = Field(alias="from", description="From when.")
    to: Seconds = Field(description="Until when.")


class Scenario(_Strict):
    """One run of the shipped services against vendors whose truth is known."""

    name: str = Field(default="", description="Repeated in what is printed.")
    seed: int = Field(default=1, description="Of all dice.")
    seconds: PositiveNumber = Field(default=120, description="Nothing is published after this.")
    drain_seconds: Seconds = Field(default=900, description="How long what is left may take after that.")
    measure_from: Seconds = Field(default=10, description="Goodput and waste count from here to `seconds`.")
    workers: Annotated[int, Field(ge=1, le=10_000)] = Field(
        default=16, description="How many functions may run at once."
    )
    threads: Count | None = Field(default=None, description="Requests that one serves at once; null: the template's.")
    batch: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        default=None, description="Messages of one invocation; null: the template's."
    )
    kind: Kind = Field(default=Kind.TTS, description="What is asked for.")
    providers: Annotated[list[str], Field(min_length=1)] = Field(
        default_factory=lambda: ["openai-tts"], description="Those that are allowed, in order."
    )
    strategy: Strategy = Field(default=Strategy.ORDERED, description="As in a request.")
    shared_limits: bool = Field(default=True, description="Whether workers share limits; false: each by itself.")
    pools: dict[str, Pool] = Field(default_factory=lambda: {"openai": Pool()}, description="By vendor.")
    service: Service = Field(default_factory=Service, description="How long a call takes.")
    arrivals: list[Arrivals] = Field(default_factory=lambda: [Arrivals()], description="What is published.")
    changes: list[Change] = Field(default_factory=list, description="What changes meanwhile.")
    faults: list[Fault] = Field(default_factory=list, description="What providers answer in the place of a result.")
    outages: list[Outage] = Field(default_factory=list, description="Stores that are unavailable.")
    deaths_per_minute: Seconds = Field(default=0.0, description="Workers that die in the midst of their batch.")
    clock_offsets: Annotated[list[float], Field(min_length=1)] = Field(
        default_factory=lambda: [0.0], description="By how many seconds the workers' clocks are wrong, in turn."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._has_providers()
        for vendor in (*self.pools, *(change.vendor for change in self.changes)):
            if vendor not in CREDENTIALS:
                raise ValueError(f"{vendor!r} is no vendor")
            if vendor not in self.pools:
                raise ValueError(f"a change is of {vendor}, which has no pool")
        if self.measure_from >= self.seconds:
            raise ValueError("measure_from is not before seconds")
        for fault in self.faults:
            if not fault.answer.isdecimal() and fault.answer not in recorded():
                raise ValueError(f"{fault.answer!r} is neither a status nor a recorded answer")
        for vendor, pool in self.pools.items():
            self._has_rates(vendor, pool)
        return self

    def _has_providers(self) -> None:
        known = listing.providers()
        for name in (*self.providers, *(fault.provider for fault in self.faults)):
            if name not in known:
                raise ValueError(f"{name!r} is no provider")
        for name in self.providers:
            if known[name].kind is not self.kind:
                raise ValueError(f"{name} serves {known[name].kind}, not {self.kind}")
            if known[name].vendor not in self.pools:
                raise ValueError(f"{name} needs a pool of {known[name].vendor}")

    @staticmethod
    def _has_rates(vendor: str, pool: Pool) -> None:
        truth = pool.vendor
        for account in pool.accounts:
            declared = account.rpm if truth.counts == "requests" else account.units_per_minute
            if truth.limit.has_rate and truth.rate is None and declared is None:
                raise ValueError(f"{vendor}: the vendor's rate is what the account declares, which declares none")
            slots = truth.concurrency or account.concurrency
            if truth.limit is LimitKind.CONCURRENCY and slots is None:
                raise ValueError(f"{vendor}: neither the vendor nor the account says how many calls at once")

    def until(self, arrivals: Arrivals) -> float:
        """Return when no request of these comes any more."""
        return self.seconds if arrivals.to is None else min(arrivals.to, self.seconds)


SCENARIO: Final = TypeAdapter(Scenario)


def read_scenario(text: str) -> Scenario:
    """Read a scenario file.

    Raises:
        UnusableScenario: It is none; the message names the first field that is wrong.
    """
    try:
        return SCENARIO.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        reason = " ".join(first["msg"].removeprefix("Value error, ").split())
        raise UnusableScenario(f"{where}: {reason}" if where else reason) from None
