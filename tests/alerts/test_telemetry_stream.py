"""What operators may have to hear of, among all that is written to the Telemetry table."""

from __future__ import annotations

from typing import Any

from mediarelay.alerts.telemetry_stream import telemetry_change
from mediarelay.budgets.contract import BudgetLevel
from mediarelay.limits.contract import LimitReport


def written(partition: str, sort: str, **values: Any) -> dict[str, Any]:
    """A stream record of a new item."""
    keys = {"pk": {"S": partition}, "sk": {"S": sort}}
    return {"dynamodb": {"Keys": keys, "NewImage": keys | values}}


def test_a_trial_is_no_health_record_though_it_lies_beside_them() -> None:
    trial = {"holder": {"S": ""}, "taken_until": {"N": "1"}, "strikes": {"N": "1"}, "struck_at": {"N": "1"}}
    assert telemetry_change(written("HEALTH", "TRIAL#openai-tts", **trial)) is None


def test_what_lies_under_a_vendors_keys_and_is_no_verdict_is_passed_over() -> None:
    assert telemetry_change(written("KEY#openai", "0123456789ab", status={"S": "cooling"})) is None


def test_what_is_at_risk_is_news() -> None:
    item = {"kind": {"S": "tts"}, "status": {"S": "capability_at_risk"}, "since": {"N": "1"}, "at": {"N": "2"}}
    change = telemetry_change(written("CAPABILITY", "tts", **item))
    assert change is not None
    assert change.before is None
    assert (change.after.status, change.after.at) == ("capability_at_risk", 2)


def test_a_level_of_a_budget_is_news() -> None:
    said = {"payer": {"S": "stage"}, "window": {"S": "2026-11"}, "level": {"N": "80"}}
    sums = {"used_usd": {"N": "8.1"}, "most_usd": {"N": "10"}, "at": {"N": "2"}, "ttl": {"N": "9"}}
    change = telemetry_change(written("BUDGET_LEVELS", "stage#2026-11#80", **said, **sums))
    assert change is not None
    assert isinstance(change.after, BudgetLevel)
    assert (change.after.payer, change.after.level) == ("stage", 80)


def test_a_limit_that_is_lower_than_declared_is_news() -> None:
    numbers = {"declared_per_minute": {"N": "600"}, "measured_per_minute": {"N": "300"}}
    item = {
        "provider": {"S": "openai-tts"},
        "vendor": {"S": "openai"},
        "status": {"S": "limit_lower_than_declared"},
        "since": {"N": "5"},
        "at": {"N": "5"},
        "lower": {"L": [{"M": {"account": {"S": "acme"}, **numbers}}]},
    }
    change = telemetry_change(written("LIMIT", "openai-tts", **item))
    assert change is not None
    assert isinstance(change.after, LimitReport)
    assert change.after.lower[0].measured_per_minute == 300.0
