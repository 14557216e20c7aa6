"""A part of a document that a tool writes: what stands between two markers."""

from __future__ import annotations


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
