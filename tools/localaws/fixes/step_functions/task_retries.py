"""A retried task waits as its rule says.

AWS: MaxDelaySeconds caps the growing interval, and JitterStrategy FULL draws each wait between zero and it.
Stock: ignores both.
Matters: the state machine retries for hours at a capped, jittered pace; uncapped waits would outlast every deadline.
"""

import random
from collections.abc import Sequence
from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import stepfunctions


def apply() -> None:
    """Hand out each rule with the interval of this very retry, and no further growth."""
    find = expect_function(stepfunctions, "_find_matching_retrier", "retriers", "error", "retry_counts")

    def find_with_interval(retriers: Sequence[dict[str, Any]], error: str, retry_counts: dict[int, int]) -> Any:
        rule, index = find(retriers, error, retry_counts)
        if rule is None:
            return rule, index
        seconds = interval(rule, retry_counts.get(index, 0))
        return {**rule, "IntervalSeconds": seconds, "BackoffRate": 1}, index

    stepfunctions._find_matching_retrier = find_with_interval


def interval(rule: dict[str, Any], retries: int) -> float:
    """Seconds before the next retry, after so many by this rule."""
    grown = rule.get("IntervalSeconds", 1) * rule.get("BackoffRate", 2.0) ** retries
    capped = float(min(grown, rule.get("MaxDelaySeconds", grown)))
    return random.uniform(0, capped) if rule.get("JitterStrategy") == "FULL" else capped  # noqa: S311 - jitter
