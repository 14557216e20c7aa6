"""Accounts, limits and latencies of a simulator, as read from its configuration file."""

import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .state.durations import brief_jobs
from .state.latency import Fixed, Latency, Uniform

AccountState = Literal["ok", "out_of_quota", "disabled"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountConfig(_Strict):
    """One vendor account: the owner of keys, rate, concurrency and balance.

    `requests_per_second`, `concurrency` and `balance` are unlimited when null. The balance is in the vendor's own
    unit: credits at ElevenLabs, US dollars elsewhere.
    """

    keys: tuple[str, ...] = Field(min_length=1)
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    burst: int = Field(default=10, ge=1)
    concurrency: Annotated[int, Field(ge=1)] | None = None
    balance: Annotated[float, Field(ge=0)] | None = None
    state: AccountState = "ok"


def _account(vendor: str, number: int) -> AccountConfig:
    keys = (f"sim-{vendor}-key-{number}", f"sim-{vendor}-key-{number + 1}")
    return AccountConfig(keys=keys, requests_per_second=1000, burst=2000, concurrency=500)


def default_accounts(*vendors: str) -> dict[str, dict[str, AccountConfig]]:
    """Two roomy accounts with two obviously fake keys each, for every vendor named."""
    return {name: {"main": _account(name, 1), "backup": _account(name, 3)} for name in vendors}


def default_latency() -> dict[str, dict[str, Latency]]:
    """20 to 80 ms of work, and 2 ms for what a vendor answers without working."""
    idle: dict[str, Latency] = dict.fromkeys(
        ("queue_submit", "queue_status", "queue_stream", "queue_result", "submit", "poll"), Fixed(seconds=0.002)
    )
    return {
        **brief_jobs(),
        "*": {"*": Uniform(low=0.02, high=0.08), "media": Fixed(seconds=0.002), "models": Fixed(seconds=0.002), **idle},
    }


def _accounts_of_all() -> dict[str, dict[str, AccountConfig]]:
    from .vendors import VENDORS  # noqa: PLC0415 - the vendors know accounts, which know this module

    return default_accounts(*VENDORS)


class SimulatorConfig(_Strict):
    """Everything that can be configured; `latency` is looked up by vendor and operation, with `*` for any."""

    vendors: dict[str, dict[str, AccountConfig]] = Field(default_factory=_accounts_of_all)
    latency: dict[str, dict[str, Latency]] = Field(default_factory=default_latency)
    seed: int = 1

    @model_validator(mode="after")
    def _each_key_has_one_owner(self) -> Self:
        for vendor, accounts in self.vendors.items():
            keys = [key for account in accounts.values() for key in account.keys]
            if len(keys) != len(set(keys)):
                raise ValueError(f"{vendor}: a key is listed twice")
        return self


class ConfigError(Exception):
    """The configuration can't be used; the message is one line for a person."""


def describe(error: ValidationError) -> str:
    """The first problem pydantic found, on one line, without the offending value."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "configuration"
    return f"{where}: {first['msg']}"


def load_config(path: Path) -> SimulatorConfig:
    """Read a JSON file. Raises ConfigError with one clear line."""
    try:
        return SimulatorConfig.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path} is not JSON: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {describe(error)}") from error
