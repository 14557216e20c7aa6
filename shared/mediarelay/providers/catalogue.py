"""The model catalogue: what each provider offers, until when, at what price. The data are the vendors' models.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import date
from functools import cache, lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any

from mediarelay.providers.listing import providers
from mediarelay.vocabulary.frozen import frozen


@frozen
class Model:
    """One model of one provider.

    Attributes:
        id: The vendor's name for it.
        provider: Which provider offers it.
        retires: The day it stops answering, UTC; None when none is announced.
        replacement: The vendor's successor, or None.
        typical_seconds: Usual latency, before the worker has seen its own.
        source: The pages its figures are from.
        checked: The day they were read there last; None where an operator wrote them.
        limits: Bounds of the input by name, such as `text_characters`.
        tokens: What one output comes to by quality, where the vendor bills outputs by the token.
        prices: USD by unit, such as `per_million_characters`; each provider module knows its own units.
        default: Whether it is used when the request names none.
        serves: The one type of input it is for (`music`, `sfx`); None when it takes every input of its provider.
        most_usd: What one call costs at most, whatever its options; None where that is not known.
        options: The vendor's own fields that a request may set, as written, or the model of its provider that has the
            same; `options.parsing` reads them.
    """

    id: str
    provider: str
    retires: date | None
    replacement: str | None
    typical_seconds: float
    source: str
    checked: date | None
    limits: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    prices: Mapping[str, float] = field(default_factory=dict)
    default: bool = False
    serves: str | None = None
    most_usd: float | None = None
    options: Mapping[str, Any] | str = field(default_factory=dict)

    def retired(self, today: date) -> bool:
        """Tell whether the vendor has switched it off by *today*."""
        return self.retires is not None and today >= self.retires

    def retirement_warning(self, today: date, *, notice_days: int = 90) -> str | None:
        """Return one sentence from *notice_days* before the end on; None before that."""
        if self.retires is None or (self.retires - today).days > notice_days:
            return None
        successor = f"points to {self.replacement}" if self.replacement else "names no successor"
        verb = "was retired" if self.retired(today) else "retires"
        return f"{self.provider} model {self.id} {verb} on {self.retires.isoformat()}; the vendor {successor}"


@cache
def _models_of(vendor: str) -> Mapping[str, Mapping[str, Model]]:
    # Imported here: only code that looks a model up pays for the schema that checks the files.
    from mediarelay.providers.parsing import parse_models  # noqa: PLC0415

    return parse_models((Path(__file__).parent / vendor / "models.json").read_bytes())


def models(provider: str) -> Mapping[str, Model]:
    """Return the provider's models by id; empty for an unknown provider."""
    known = providers().get(provider)
    return _models_of(known.vendor).get(provider, {}) if known else {}


@lru_cache(maxsize=256)
def default_model(provider: str, today: date, *, serves: str | None = None) -> Model:
    """Choose the model when the request names none: the default, or the first not retired if the default is.

    Args:
        provider: Whose.
        today: The day, UTC.
        serves: The input's type, where inputs of the kind have one; models for another type are passed over, unless the
            provider has no others: then it is for the provider to refuse.

    Raises:
        LookupError: The catalogue has no model for the provider.
    """
    known = list(models(provider).values())
    offered = [model for model in known if not serves or model.serves in (None, serves)] or known
    if not offered:
        raise LookupError(f"the catalogue has no model for {provider}")
    return default_of(offered, today)


def default_of(offered: Iterable[Model], today: date) -> Model:
    """Return the default of these models, or the first not retired if the default is."""
    first, *others = sorted(offered, key=attrgetter("default"), reverse=True)
    return next((model for model in (first, *others) if not model.retired(today)), first)
