"""When a provider is healthy, and when it is down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from mediarelay.vocabulary.frozen import frozen


@frozen
class Thresholds:
    """The thresholds of one provider and phase. Rates are between 0 and 1.

    Attributes:
        healthy_rate: Success rate from which it is healthy.
        degraded_rate: Success rate below which it is down, however fast it fails.
        healthy_seconds: Latency from which it is degraded, when the mean and the median are above it.
        minimum_samples: With fewer, a rate or a mean says nothing.
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
_FIELDS: Final = frozenset(Thresholds.__dataclass_fields__)


class InvalidThresholds(ValueError):
    """The operator's thresholds cannot be used; the message says which and what is allowed."""


class ThresholdBook:
    """Thresholds by provider and phase, with what the operator has set for this deployment."""

    def __init__(
        self, healthy_seconds: Mapping[str, float], changes: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
    ) -> None:
        """Take over the defaults of this deployment.

        Args:
            healthy_seconds: For providers, or provider/phase, that are slower by nature than speech.
            changes: By provider or provider/phase, or `*` for all: fields of `Thresholds` and their values.

        Raises:
            InvalidThresholds: A field is unknown or a value is no number.
        """
        for name, fields in changes.items():
            for field, value in fields.items():
                if field not in _FIELDS or isinstance(value, bool) or not isinstance(value, int | float):
                    raise InvalidThresholds(f"{name}.{field}={value!r}: numbers for {', '.join(sorted(_FIELDS))}")
        self._healthy_seconds = healthy_seconds
        self._changes = changes

    def __call__(self, provider: str, phase: str) -> Thresholds:
        """Return the thresholds of one phase of one provider."""
        limits = DEFAULT
        for name in (provider, f"{provider}/{phase}"):
            if name in self._healthy_seconds:
                limits = replace(limits, healthy_seconds=self._healthy_seconds[name])
        for name in ("*", provider, f"{provider}/{phase}"):
            limits = replace(limits, **self._changes.get(name, {}))
        return limits
