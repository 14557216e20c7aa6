"""Metric alarms watch their own metric, over time, and recover.

AWS: an alarm reads the one metric its dimensions name, needs M breaching datapoints out of N, treats missing data as
it is told, is evaluated continually, and runs its actions on every change of state.
Stock: ignores dimensions, lumps all periods together, evaluates only when a metric is put, and without new data never
leaves ALARM. Alarms on metric math are not evaluated, there or here.
Matters: every alarm of the template, and the demo's recovery.
AWS aligns periods to the clock; here they end now. Evaluated every MEDIARELAY_LOCAL_ALARM_SECONDS (5).
"""

import logging
import time
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.clock import every, seconds_from_environment
from tools.localaws.fixes.cloudwatch.alarm_rule import COMPARISONS, AlarmRule
from tools.localaws.tenant import tenant
from tools.localaws.upstream import cloudwatch

logger = logging.getLogger("mediarelay.launcher")


def apply() -> None:
    """Replace the evaluation of one alarm, and evaluate all of them on a timer."""
    expect_function(cloudwatch, "_evaluate_alarm", "alarm")
    expect_function(cloudwatch, "_evaluate_all_alarms")
    expect_function(
        cloudwatch, "_record_history", "alarm_name", "old_state", "new_state", "reason", "alarm_type", "reason_data"
    )
    expect_function(cloudwatch, "_dispatch_alarm_actions", "alarm", "old_state", "new_state", "reason")
    expect_function(cloudwatch, "_calc_stats", "points")
    expect_function(cloudwatch, "_stat_value", "stats", "stat_name", "points")
    expect_function(cloudwatch, "_dims_key", "dims")
    expect_attributes(cloudwatch, "_alarms", "_metrics", "_evaluate_parent_alarms")
    cloudwatch._evaluate_alarm = evaluate
    every(seconds_from_environment("MEDIARELAY_LOCAL_ALARM_SECONDS", 5), evaluate_everywhere, "alarms")


def evaluate_everywhere() -> None:
    """Evaluate the alarms of every account and region."""
    for account, region in {key[:2] for key in list(cloudwatch._alarms._data)}:
        with tenant(account, region):
            cloudwatch._evaluate_all_alarms()


def evaluate(alarm: dict[str, Any]) -> None:
    """Bring one alarm to the state its datapoints call for."""
    if not alarm.get("MetricName") or alarm.get("ComparisonOperator") not in COMPARISONS:
        return
    rule = AlarmRule.of(alarm)
    datapoints = _datapoints(alarm, rule)
    state = rule.state(datapoints, alarm["StateValue"])
    if state != alarm["StateValue"]:
        shown = ", ".join("missing" if value is None else f"{value:g}" for value in datapoints[: rule.periods])
        _change(alarm, state, f"Threshold Crossed: datapoints [{shown}], {rule.comparison} {rule.threshold:g}")


def _datapoints(alarm: dict[str, Any], rule: AlarmRule) -> list[float | None]:
    points = _points(alarm)
    now = time.time()
    return [
        _statistic(alarm, [point for point in points if _age_in_periods(point, now, rule.period) == age])
        for age in range(rule.evaluation_range)
    ]


def _points(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    dimensions = alarm.get("Dimensions") or []
    if isinstance(dimensions, list):
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in dimensions}
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    return list(cloudwatch._metrics.get(key) or [])


def _age_in_periods(point: dict[str, Any], now: float, period: int) -> int:
    return int(max(0.0, now - point["Timestamp"]) // period)


def _statistic(alarm: dict[str, Any], points: list[dict[str, Any]]) -> float | None:
    if not points:
        return None
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    value: float | None = cloudwatch._stat_value(cloudwatch._calc_stats(points), name, points)
    return value


def _change(alarm: dict[str, Any], state: str, reason: str) -> None:
    before = alarm["StateValue"]
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    logger.info("alarm %s: %s -> %s (%s)", alarm["AlarmName"], before, state, reason)
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)
