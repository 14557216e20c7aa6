"""Latency distributions, in seconds."""

import math
from random import Random
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

_Z99 = 2.3263478740408408  # the normal quantile of 0.99


class _Distribution(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fixed(_Distribution):
    kind: Literal["fixed"] = "fixed"
    seconds: float = Field(ge=0)

    def draw(self, _dice: Random) -> float:
        return self.seconds


class Uniform(_Distribution):
    kind: Literal["uniform"] = "uniform"
    low: float = Field(ge=0)
    high: float = Field(ge=0)

    def draw(self, dice: Random) -> float:
        return dice.uniform(self.low, self.high)


class Lognormal(_Distribution):
    """A long tail given by the two numbers people know: the median and the 99th percentile."""

    kind: Literal["lognormal"] = "lognormal"
    median: float = Field(gt=0)
    p99: float = Field(gt=0)

    @model_validator(mode="after")
    def _tail_is_above_the_median(self) -> Self:
        if self.p99 < self.median:
            raise ValueError("p99 must not be below the median")
        return self

    def draw(self, dice: Random) -> float:
        return dice.lognormvariate(math.log(self.median), math.log(self.p99 / self.median) / _Z99)


Latency = Annotated[Fixed | Uniform | Lognormal, Field(discriminator="kind")]


class Drawable(Protocol):
    def draw(self, dice: Random, /) -> float: ...


class LatencyTable:
    """Draws the latency of an operation; the most specific entry wins."""

    def __init__(self, table: dict[str, dict[str, Latency]], seed: int) -> None:
        self._table = table
        self._dice = Random(seed)  # noqa: S311 - repeatable runs, not secrets
        self._found: dict[tuple[str, str], Drawable | None] = {}

    def draw(self, vendor: str, operation: str) -> float:
        """Seconds of work for one call; 0 when nothing is configured."""
        at = (vendor, operation)
        if at not in self._found:
            self._found[at] = self._look_up(vendor, operation)
        chosen = self._found[at]
        return chosen.draw(self._dice) if chosen else 0.0

    def _look_up(self, vendor: str, operation: str) -> Drawable | None:
        for owner, name in ((vendor, operation), (vendor, "*"), ("*", operation), ("*", "*")):
            if found := self._table.get(owner, {}).get(name):
                return found
        return None
