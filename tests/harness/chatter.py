"""What a long test has to say about its run; pytest shows it with -s, and whenever the test fails."""

import sys


def say(words: str) -> None:
    """One line."""
    sys.stdout.write(f"{words}\n")
