"""The environment, parsed once into a frozen model per function: what several have. Nothing else reads `os.environ`.

What one function has of its own stands beside its wiring, so that no other defines it when it starts.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

if TYPE_CHECKING:
    from mediarelay.providers.listing import AddedServers

logger = logging.getLogger(__name__)


class Settings(BaseModel):
    """What every function has. Each function reads one of these; the others are never built."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    stage: str = Field(alias="STAGE", default="dev")
    openai_servers: str = Field(alias="OPENAI_SERVERS", default="")
    calendar_day: str = Field(alias="CALENDAR_DAY", default="", pattern=r"^(\d{4}-\d\d-\d\d)?$")

    @classmethod
    def from_env(cls) -> Self:
        """Read this process's environment; pydantic's error names the variable that is missing."""
        return cls.model_validate(dict(os.environ))

    @property
    def rehearsed_day(self) -> date | None:
        """The day as of which models and voices are judged instead of today; None, and always so unless local."""
        return date.fromisoformat(self.calendar_day) if self.calendar_day and self.stage == "local" else None

    @property
    def added_servers(self) -> AddedServers:
        """The servers of OpenAI's shape that the deployment adds. Those with a fault are logged once, and left out."""
        return _added(self.openai_servers.strip(), self.stage == "local")


class OfferSettings(Settings):
    """What every function has that knows which providers may be used."""

    enabled_providers: str = Field(alias="ENABLED_PROVIDERS", default="")

    @property
    def providers(self) -> frozenset[str]:
        """The providers that may be used; empty means all."""
        return frozenset(map(str.strip, self.enabled_providers.split(","))) - {""}


class ProviderSettings(OfferSettings):
    """What every function has that calls providers; all that submit_job, poll_job, settle_job and steer_speech have."""

    jobs_table: str = Field(alias="JOBS_TABLE", min_length=1)
    telemetry_table: str = Field(alias="TELEMETRY_TABLE", min_length=1)
    results_bucket: str = Field(alias="RESULTS_BUCKET", min_length=1)
    keys_secret_id: str = Field(alias="KEYS_SECRET_ID", default="")
    provider_base_urls: str = Field(alias="PROVIDER_BASE_URLS", default="")
    key_rotation: str = Field(alias="KEY_ROTATION", default="round_robin", pattern="^(round_robin|power_of_two)$")
    namespace: str = Field(alias="POWERTOOLS_METRICS_NAMESPACE", default="mediarelay")
    job_pace: PositiveFloat = Field(alias="JOB_PACE", default=1.0)
    extra_media_hosts: str = Field(alias="EXTRA_MEDIA_HOSTS", default="")
    budgets_parameter: str = Field(alias="BUDGETS_PARAMETER", default="")
    options_policy: str = Field(alias="OPTIONS_POLICY", default="listed", pattern="^(listed|pass)$")

    @property
    def media_hosts(self) -> tuple[str, ...]:
        """Domains on which results may be beside each vendor's own."""
        return hosts_of(self.extra_media_hosts)


def hosts_of(written: str) -> tuple[str, ...]:
    """Return the hosts of a list that is separated by commas."""
    return tuple(name.strip().lower() for name in written.split(",") if name.strip())


class LimitedSettings(ProviderSettings):
    """What every function has that calls as fast as the keys allow."""

    leases: str = Field(alias="LEASES", default="on", pattern="^(on|off)$")
    workers: PositiveInt = Field(alias="MAXIMUM_CONCURRENCY", default=10)


@lru_cache(maxsize=1)
def _added(written: str, local: bool) -> AddedServers:  # noqa: FBT001 # what is cached goes by position
    # Imported here: not every function needs the providers, and most deployments add none.
    from mediarelay.providers.listing import NONE_ADDED  # noqa: PLC0415

    if not written:
        return NONE_ADDED
    from mediarelay.providers.openai.parsing import parse_servers  # noqa: PLC0415

    found = parse_servers(written, local=local)
    for name, reason in found.faults.items():
        logger.error("a server of OpenAI's shape left out", extra={"vendor": name, "reason": reason})
    return found


def environment() -> Mapping[str, str]:
    """Return all of it, for the two things whose names are data: base URLs by provider and keys by vendor."""
    return dict(os.environ)


def inside_lambda() -> bool:
    """Tell whether to wire eagerly: to pay for clients in the init phase, not in the first request."""
    return "AWS_LAMBDA_FUNCTION_NAME" in os.environ
