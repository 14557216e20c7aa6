"""The functions on moto, and PagerDuty by `responses`."""

from __future__ import annotations

from tests.harness.functions import deployed, vendors

__all__ = ["deployed", "vendors"]
