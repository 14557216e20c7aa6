"""A document of which a tool writes parts: what stands between two markers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path


def replaced(text: str, begin: str, end: str, content: str) -> str:
    """Returns the document with *content* between the markers.

    Raises:
        ValueError: The document has no place for it.
    """
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the document has no place for it: {begin.strip()} … {end}")
    return f"{before}{begin}{content}{end}{after}"


def kept_up(module: str, arguments: Sequence[str], document: Path, rewritten: Callable[[str], str]) -> int:
    """Write the document as *rewritten* has it now, or check that it is so: what `python -m` of *module* does.

    Returns:
        The exit status: 0 well, 1 stale, 2 wrong usage.
    """
    text = document.read_text(encoding="utf-8")
    match arguments:
        case ["write"]:
            document.write_text(rewritten(text), encoding="utf-8")
            return 0
        case ["check"]:
            if text == rewritten(text):
                return 0
            mend = f"run `python -m {module} write` (or `make fmt`) and commit docs"
            print(f"{document.name}: what {module} writes is other now; {mend}", file=sys.stderr)
            return 1
        case _:
            print(f"usage: python -m {module} write|check", file=sys.stderr)
            return 2
