"""What a benchmark reports, always in the same form."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.local.project import ROOT

FOLDER = ROOT / "build" / "bench"


@dataclass(frozen=True)
class Measurement:
    """One number beside its reference.

    Attributes:
        name: File name of the result.
        value: Ours, in *unit*.
        unit: Such as `ms`.
        reference: What it is compared with, in words.
        reference_value: Its number in the same run.
        bar: The largest ratio that is good enough.
    """

    name: str
    value: float
    unit: str
    reference: str
    reference_value: float
    bar: float

    @property
    def ratio(self) -> float:
        """Ours over the reference."""
        return self.value / self.reference_value

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.ratio <= self.bar

    def write(self, folder: Path = FOLDER) -> Path:
        """Write `<name>.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        facts = {**asdict(self), "ratio": round(self.ratio, 3), "holds": self.holds}
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        return path

    def line(self) -> str:
        """For a person."""
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        return (
            f"{self.name}: {self.value:.2f} {self.unit} beside {self.reference_value:.2f} {self.unit}"
            f" ({self.reference}); ratio {self.ratio:.2f}, bar {self.bar}: {verdict}"
        )
