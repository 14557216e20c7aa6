"""The recorded answers of vendors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tools.captures.capture import Capture, captures

_FOLDER: Final = Path(__file__).parents[2] / "tools" / "captures" / "recorded"


def _recorded() -> Iterator[Capture]:
    for path in sorted(_FOLDER.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            yield from captures(lines)


RECORDED: Final = tuple(_recorded())
