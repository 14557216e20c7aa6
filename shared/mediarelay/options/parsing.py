"""What people write in JSON of a model's options: what may be set, and what that does to the price."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from datetime import date
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator


class OptionPrice(BaseModel):
    """What a value of an option does to the price. It never lowers it: what is bought for less is counted in full."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    times: float = Field(default=1.0, ge=1, le=1000, description="Multiplies all of the model's prices.")
    prices: dict[str, str] = Field(
        default_factory=dict, description="Prices of the model, each with that of its others which counts instead."
    )


class AllowedOption(BaseModel):
    """A field of the vendor's that a request may set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=128, description="The vendor's; a field within another after a dot.")
    values: list[str | bool | float] | None = Field(default=None, min_length=1, description="Those allowed.")
    type: Literal["boolean", "integer", "number", "text", "texts", "objects"] | None = Field(
        default=None, description="What is allowed where values are not listed one by one."
    )
    least: float | None = Field(default=None, description="The smallest number.")
    most: float | None = Field(default=None, description="The largest number, the longest text, the most texts.")
    price: Literal["counted"] | dict[str, OptionPrice] = Field(
        default_factory=dict,
        description="What values do to the price, each as JSON writes it; nothing where absent. counted: the estimate "
        "reads the option itself, as it reads a quality or a size.",
    )
    source: str | None = Field(default=None, min_length=1, description="Where the price is from, unless the model's.")

    @model_validator(mode="after")
    def _says_what_is_allowed(self) -> Self:
        if (self.values is None) == (self.type is None):
            raise ValueError("either values or type")
        # A price of what can't be asked for would be one that is asked for, and counts as nothing.
        for name in () if isinstance(self.price, str) else self.price:
            if not self._writes(name):
                raise ValueError(f"{self.name}: price: {name} is no allowed value as JSON writes it")
        return self

    def takes(self, value: object) -> bool:
        """Tell whether the value is allowed."""
        if self.values is not None:
            return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in self.values)
        match self.type:
            case "boolean":
                return isinstance(value, bool)
            case "integer" | "number" if isinstance(value, (int, float)) and not isinstance(value, bool):
                whole = self.type == "number" or isinstance(value, int)
                return whole and self._from() <= value <= self._to()
            case "text":
                return isinstance(value, str) and len(value) <= self._to()
            case "texts" | "objects" if isinstance(value, list):
                kept = _is_text if self.type == "texts" else _has_texts
                return len(value) <= self._to() and all(kept(each) for each in value)
            case _:
                return False

    def allowed(self) -> str:
        """Return what is allowed, in words."""
        if self.values is not None:
            return "one of " + ", ".join(map(_written, self.values))
        words = {"boolean": "true or false", "integer": "a whole number", "number": "a number", "text": "a text"}
        if self.type in ("texts", "objects"):
            return f"a list of {self.type}" if self.most is None else f"a list of at most {self.most:g} {self.type}"
        if self.type == "text":
            return "a text" if self.most is None else f"a text of at most {self.most:g} characters"
        bounds = [f" from {_written(self.least)}"] if self.least is not None else []
        bounds += [f" to {_written(self.most)}"] if self.most is not None else []
        return words[str(self.type)] + "".join(bounds)

    def effect(self, value: object) -> OptionPrice | None:
        """Return what an allowed value does to the prices; None for nothing, and where the estimate reads it itself."""
        return None if isinstance(self.price, str) else self.price.get(_spelled(value))

    def effects(self) -> Collection[OptionPrice]:
        """Return what any of its values does to the prices."""
        return () if isinstance(self.price, str) else self.price.values()

    def _writes(self, name: str) -> bool:
        """Tell whether an allowed value is written so where its price is told."""
        if self.values is not None:
            return any(_spelled(each) == name for each in self.values)
        if self.type == "text":
            return self.takes(name)
        try:
            value = json.loads(name)
        except ValueError:
            return False
        return self.takes(value) and _spelled(value) == name

    def _from(self) -> float:
        return -math.inf if self.least is None else self.least

    def _to(self) -> float:
        return math.inf if self.most is None else self.most


class ListedOptions(BaseModel):
    """The vendor's own fields that requests for a model may set, and those that they may not, whatever a deployment
    allows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(min_length=1, description="Where they are told of.")
    checked: date | None = Field(default=None, description="The day they were read there last.")
    allowed: list[AllowedOption] = Field(default_factory=list, max_length=64)
    refused: dict[str, str] = Field(
        default_factory=dict, max_length=64, description="What would break delivery, and what to do instead, by name."
    )

    @model_validator(mode="after")
    def _makes_sense(self, info: ValidationInfo) -> Self:
        """Each option once, and no price that there isn't, or that would be lower; the context has the model's."""
        names = [each.name for each in self.allowed]
        if len(set(names)) < len(names) or self.refused.keys() & set(names):
            raise ValueError("each option once")
        prices: Mapping[str, float] = info.context or {}
        for option in self.allowed:
            for effect in option.effects():
                for unit, other in effect.prices.items():
                    if prices.get(unit, math.inf) > prices.get(other, -math.inf):
                        raise ValueError(f"{option.name}: {other} is no price that can count instead of {unit}")
        return self


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _has_texts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_text, value.values()))


def _written(value: object) -> str:
    """As JSON writes it, 2.0 as 2."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value)


def _spelled(value: object) -> str:
    return value if isinstance(value, str) else _written(value)
