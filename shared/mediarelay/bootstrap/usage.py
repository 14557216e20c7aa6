"""Wiring of count_usage, apart from the others': no function imports what another needs."""

from __future__ import annotations

from random import Random

from mediarelay.aws import clients
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.settings import UsageSettings
from mediarelay.usage.dynamodb import DynamoUsage
from mediarelay.usage.usage import UsageCounter


def build_usage(settings: UsageSettings) -> UsageCounter:
    """Wire everything that count_usage needs."""
    store = DynamoUsage(clients.client("dynamodb"), settings.usage_table)
    return UsageCounter(store, SystemClock(), Random())  # noqa: S311 # jitter, not cryptography
