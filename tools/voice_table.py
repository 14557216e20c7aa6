"""Who speaks for each name of the voice book: `python -m tools.voice_table [DAY] [LANGUAGE]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final

from mediarelay.providers.api import Voice
from mediarelay.providers.catalogue import default_model
from mediarelay.voices.book import WantedVoice
from mediarelay.voices.parsing import shipped_book

NOBODY: Final = "-"
USAGE: Final = "usage: python -m tools.voice_table [DAY, such as 2027-01-07] [LANGUAGE, such as en]"


def rows(day: date, language: str) -> Iterator[tuple[str, ...]]:
    """A row of titles, a row for speech without a voice, and one for each name: who speaks at each provider."""
    book = shipped_book()
    providers = sorted(book.voices)
    yield ("name", *providers)
    for name in (None, *sorted(book.names)):
        yield (name or "(none)", *(_speaker(provider, name, day, language) for provider in providers))


def _speaker(provider: str, name: str | None, day: date, language: str) -> str:
    model = default_model(provider, day)
    chosen = shipped_book().choose(provider, WantedVoice(name, language=language), model.id, day)
    return chosen.id if isinstance(chosen, Voice) and not model.retired(day) else NOBODY


def main(arguments: Sequence[str]) -> int:
    """Print the table; 2 when the arguments are no day and language."""
    given = dict(enumerate(arguments))
    try:
        day = date.fromisoformat(given.get(0) or datetime.now(UTC).date().isoformat())
    except ValueError:
        print(USAGE, file=sys.stderr)
        return 2
    table = list(rows(day, given.get(1, "en")))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
