"""`python -m tools.captures FILE…`: run recorded answers of vendors through the parsers that are shipped.

Prints one line each: the id, what it must come to, what it came to, and as the last word yes, no, or waiting when there
is no such provider yet. Exit status: 0 when none is no, 1 when one is, 2 for a line that is no capture.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tools.captures.capture import BadCapture, Capture, captures
from tools.captures.reading import Verdict, read


def main(paths: Sequence[str]) -> int:
    """Returns the exit status."""
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = bad = False
    for path in paths:
        with Path(path).open(encoding="utf-8") as lines:
            try:
                for capture in captures(lines):
                    wrong = not _right(capture) or wrong
            except BadCapture as error:
                print(f"{path}: {error}", file=sys.stderr)
                bad = True
    return 2 if bad else int(wrong)


def _right(capture: Capture) -> bool:
    """Print what came of it; whether it is not wrong."""
    reading = read(capture)
    wanted = "|".join(capture.expected)
    wait = "" if capture.expected_wait is None else f" after {capture.expected_wait:g}s"
    print(f"{capture.id}: expected {wanted}{wait}, got {reading.got} {reading.verdict}", flush=True)
    return reading.verdict is not Verdict.NO


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
