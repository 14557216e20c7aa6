"""What a benchmark reports, always in the same form."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
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
        bar: The largest ratio that is good enough; the smallest where more is better.
        more_is_better: Whether the ratio must reach the bar instead of staying below it.
    """

    name: str
    value: float
    unit: str
    reference: str
    reference_value: float
    bar: float
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        """Ours over the reference."""
        return self.value / self.reference_value

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.ratio >= self.bar if self.more_is_better else self.ratio <= self.bar

    def write(self, folder: Path = FOLDER) -> Path:
        """Write `<name>.json`, with the day and the machine."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        facts = {
            **asdict(self),
            "ratio": round(self.ratio, 3),
            "holds": self.holds,
            "date": datetime.now(UTC).date().isoformat(),
            "machine": machine(),
        }
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        return path

    def line(self) -> str:
        """For a person."""
        verdict = "holds" if self.holds else "DOES NOT HOLD"
        bar = f"at {'least' if self.more_is_better else 'most'} {self.bar:g}"
        return (
            f"{self.name}: {self.value:.2f} {self.unit} beside {self.reference_value:.2f} {self.unit}"
            f" ({self.reference}); ratio {self.ratio:.2f}, bar {bar}: {verdict}"
        )


def machine() -> str:
    """Processor, number of cores, and Python of this host."""
    return f"{os.cpu_count()} cores of {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    """Its model, where Linux tells; else its architecture."""
    about = Path("/proc/cpuinfo")
    if about.exists():
        for line in about.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.machine()
