"""What a provider must keep to be called healthy, and when it is called down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of one provider and phase. Rates are between 0 and 1.

    Attributes:
        healthy_rate: Success rate from which it is healthy.
        degraded_rate: Success rate below which it is down, however fast it fails.
        healthy_seconds: Mean latency from which it is degraded.
        minimum_samples: Fewer say nothing of a rate or a mean.
        certainty: How many standard deviations a rate must lie below its threshold before it is believed.
        shortest_run: Consecutive provider faults that may be a verdict by themselves, if the provider is otherwise
            faultless.
        longest_run: Consecutive provider faults that are a verdict whatever else is known.
        settle_seconds: How long a worse verdict of the rate or the mean must hold before it is announced.
        recover_seconds: How long a better one must hold.
        margin: How far beyond a threshold, as a share of it, a figure must be to count as recovered.
    """

    healthy_rate: float = 0.90
    degraded_rate: float = 0.70
    healthy_seconds: float = 5.0
    minimum_samples: int = 10
    certainty: float = 2.58
    shortest_run: int = 3
    longest_run: int = 5
    settle_seconds: float = 20.0
    recover_seconds: float = 60.0
    margin: float = 0.1


DEFAULT = Thresholds()
