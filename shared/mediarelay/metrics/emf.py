"""Attempt metrics as CloudWatch metrics, through the embedded metric format: a log line, no API call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_lambda_powertools import single_metric
from aws_lambda_powertools.metrics import MetricUnit

from mediarelay.metrics.contract import AttemptMetric


class EmfMetrics:
    """Implements `metrics.ports.MetricSink`."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def write(self, metrics: Sequence[AttemptMetric]) -> None:
        """Write one `AttemptLatency` sample per attempt, by provider, phase and outcome; they count the attempts.

        Without the phase, every poll of a long job would count as one more accepted submit.
        """
        for metric in metrics:
            with single_metric(
                name="AttemptLatency",
                unit=MetricUnit.Milliseconds,
                value=metric.latency_ms,
                namespace=self._namespace,
                default_dimensions={"provider": metric.provider},
            ) as sample:
                sample.add_dimension("phase", metric.phase)
                sample.add_dimension("outcome", metric.outcome.value)


class EmfCounters:
    """Implements `vocabulary.counters.Counters`."""

    def __init__(self, namespace: str, stage: str) -> None:
        """Count each thing once more for the *stage* as a whole: an alarm sees no sums over dimensions."""
        self._namespace = namespace
        self._whole = {"stage": stage}

    def count(self, name: str, dimensions: Mapping[str, str]) -> None:
        """See `vocabulary.counters.Counters.count`."""
        for each in (dict(dimensions), self._whole):
            with single_metric(
                name=name, unit=MetricUnit.Count, value=1, namespace=self._namespace, default_dimensions=each
            ):
                pass

    def observe(self, name: str, seconds: float) -> None:
        """See `vocabulary.counters.Counters.observe`."""
        with single_metric(
            name=name,
            unit=MetricUnit.Seconds,
            value=round(seconds, 3),
            namespace=self._namespace,
            default_dimensions=self._whole,
        ):
            pass
