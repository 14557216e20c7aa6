"""How CloudWatch turns datapoints into an alarm's state, missing ones included. Pure: no MiniStack in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
# CloudWatch looks back further than the periods it evaluates, so that a late datapoint is no gap.
LOOK_BACK_PERIODS = 2


@dataclass(frozen=True)
class AlarmRule:
    """A metric alarm's settings; the period in seconds, `needed` breaching datapoints out of `periods`."""

    period: int
    periods: int
    needed: int
    threshold: float
    comparison: str
    missing: str

    @classmethod
    def of(cls, alarm: dict[str, Any]) -> "AlarmRule":
        """Read them from an alarm as PutMetricAlarm stores it."""
        periods = int(alarm.get("EvaluationPeriods") or 1)
        return cls(
            period=int(alarm.get("Period") or 60),
            periods=periods,
            needed=int(alarm.get("DatapointsToAlarm") or periods),
            threshold=float(alarm.get("Threshold") or 0),
            comparison=str(alarm["ComparisonOperator"]),
            missing=alarm.get("TreatMissingData") or "missing",
        )

    @property
    def evaluation_range(self) -> int:
        """How many periods of data are looked at."""
        return self.periods + LOOK_BACK_PERIODS

    def state(self, datapoints: list[float | None], current: str) -> str:
        """The state after datapoints, newest first, None where a period has none."""
        breaching = [self._breaches(value) for value in datapoints if value is not None][: self.periods]
        gaps = self.periods - len(breaching)
        if not breaching and self.missing in ("missing", "ignore"):
            return "INSUFFICIENT_DATA" if self.missing == "missing" else current
        if gaps and all(breaching) and self.missing in ("missing", "ignore"):
            # All that is known breaches: CloudWatch alarms early, or with `ignore` stays as it is.
            return "ALARM" if self.missing == "missing" else current
        count = sum(breaching) + (gaps if self.missing == "breaching" else 0)
        return "ALARM" if count >= self.needed else "OK"

    def _breaches(self, value: float) -> bool:
        return COMPARISONS[self.comparison](value, self.threshold)
