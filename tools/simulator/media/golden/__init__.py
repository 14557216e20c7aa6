"""Bytes that a real encoder made; README.md beside this file says how."""

from functools import cache
from pathlib import Path


@cache
def golden(name: str) -> bytes:
    """Return the file of that name."""
    return (Path(__file__).parent / name).read_bytes()
