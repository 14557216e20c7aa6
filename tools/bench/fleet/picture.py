"""The picture of the fleet's waste and goodput, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tools.bench.fleet.grid import Row

WIDTH: Final = 720
ROW: Final = 22
LEFT: Final = 190
SCALE: Final = 440
LEASED: Final = "#2f6f4f"
UNLEASED: Final = "#c2703d"
# A few of the runs say it; the table beside it has them all.
WORKERS: Final = (4, 64)
LOADS: Final = (0.8, 0.9, 2.0)


def picture(leased: Sequence[Row], off: Sequence[Row], path: Path) -> None:
    """Goodput and waste, with and without leases, for the scenarios that were run both ways."""
    known = {(each.workers, each.load): each for each in leased if each.keys == off[0].keys}
    shown = [each for each in off if each.workers in WORKERS and each.load in LOADS]
    pairs = [(known[each.workers, each.load], each) for each in shown]
    lines = [line for number, pair in enumerate(pairs) for line in _pair(number, *pair)]
    height = 60 + ROW * 2 * len(pairs)
    title = "Five keys in virtual time: calls served, of what was possible, and calls wasted on 429s"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "\n".join(
            [
                (
                    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
                    ' font-size="12">'
                ),
                f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
                f'<text x="12" y="22" font-size="14" font-weight="bold">{title}</text>',
                (
                    f'<text x="12" y="42"><tspan fill="{LEASED}">with leases</tspan>'
                    f'<tspan dx="12" fill="{UNLEASED}">without</tspan></text>'
                ),
                *lines,
                "</svg>",
            ]
        )
        + "\n",
        encoding="utf-8",
    )


def _pair(number: int, leased: Row, off: Row) -> list[str]:
    top = 58 + ROW * 2 * number
    label = f"{leased.workers} workers, load {leased.load:g}"
    return [
        f'<text x="12" y="{top + 20}">{label}</text>',
        *_bar(top, leased, LEASED),
        *_bar(top + ROW - 6, off, UNLEASED),
    ]


def _bar(top: float, row: Row, colour: str) -> list[str]:
    width = SCALE * min(1.0, row.goodput)
    told = f"{row.goodput:.3f}, waste {100 * row.waste:.1f} %"
    return [
        f'<rect x="{LEFT}" y="{top}" width="{width:.0f}" height="14" fill="{colour}"/>',
        f'<text x="{LEFT + 8}" y="{top + 11}" fill="#ffffff" font-size="11">{told}</text>',
    ]
