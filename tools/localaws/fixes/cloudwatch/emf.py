"""Reads metrics out of log lines in CloudWatch's embedded metric format. Pure: no MiniStack in it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EmbeddedMetric:
    """Values of one metric under one set of dimensions; the timestamp in seconds."""

    namespace: str
    name: str
    values: list[float]
    unit: str
    dimensions: dict[str, str]
    timestamp: float


def embedded_metrics(log: str) -> Iterator[EmbeddedMetric]:
    """Every metric in the lines of a log; lines that are no valid EMF document are just log lines."""
    for line in log.splitlines():
        if '"_aws"' in line:
            yield from _of_line(line)


def _of_line(line: str) -> Iterator[EmbeddedMetric]:
    try:
        document = json.loads(line[line.index("{") :])
        found = list(_of_document(document))
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    yield from found


def _of_document(document: dict[str, Any]) -> Iterator[EmbeddedMetric]:
    metadata = document["_aws"]
    for directive in metadata["CloudWatchMetrics"]:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(document[name]) for name in names}
            for metric in directive["Metrics"]:
                yield EmbeddedMetric(
                    namespace=directive["Namespace"],
                    name=metric["Name"],
                    values=_values(document[metric["Name"]]),
                    unit=metric.get("Unit", "None"),
                    dimensions=dimensions,
                    timestamp=metadata["Timestamp"] / 1000,
                )


def _values(value: Any) -> list[float]:
    return [float(item) for item in value] if isinstance(value, list) else [float(value)]
