"""The end of a log, for error messages."""

from pathlib import Path

LINES = 25


def log_tail(path: Path, lines: int = LINES) -> str:
    """The last lines of a log and where the rest is."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return f"(there is no {path})"
    kept = "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])
    return f"end of {path}:\n{kept}"
