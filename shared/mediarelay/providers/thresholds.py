"""Each provider's thresholds: the defaults fit speech; what takes longer by nature has its own mean latency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from mediarelay.health.thresholds import DEFAULT, Thresholds

# Seconds of mean latency from which it is degraded, by provider or by provider/phase: about twice what the catalogue
# calls typical of its slowest model, or of its jobs.
_HEALTHY_SECONDS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "gemini-tts": 10.0,
        "openai-image": 80.0,
        "fal-flux": 12.0,
        "elevenlabs-audio": 60.0,
        "kling-video/completion": 600.0,
        "fal-kling/completion": 600.0,
        "fal-stable-audio/completion": 120.0,
        "replicate-image/completion": 60.0,
        "replicate-video/completion": 600.0,
    }
)
_FIELDS: Final = frozenset(Thresholds.__dataclass_fields__)


class InvalidThresholds(ValueError):
    """The operator's thresholds cannot be used; the message says which and what is allowed."""


class ThresholdBook:
    """Thresholds by provider and phase, with what the operator has set for this deployment."""

    def __init__(self, changes: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> None:
        """*changes* by provider or provider/phase, or `*` for all: fields of `Thresholds` and their values.

        Raises:
            InvalidThresholds: A field is unknown or a value is no number.
        """
        for name, fields in changes.items():
            for field, value in fields.items():
                if field not in _FIELDS or isinstance(value, bool) or not isinstance(value, int | float):
                    raise InvalidThresholds(f"{name}.{field}={value!r}: numbers for {', '.join(sorted(_FIELDS))}")
        self._changes = changes

    def __call__(self, provider: str, phase: str) -> Thresholds:
        """The thresholds of one phase of one provider."""
        limits = DEFAULT
        for name in (provider, f"{provider}/{phase}"):
            if name in _HEALTHY_SECONDS:
                limits = replace(limits, healthy_seconds=_HEALTHY_SECONDS[name])
        for name in ("*", provider, f"{provider}/{phase}"):
            limits = replace(limits, **self._changes.get(name, {}))
        return limits
