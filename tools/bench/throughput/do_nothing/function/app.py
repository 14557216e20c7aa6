"""The reference: takes a batch and says that it is done."""

from typing import Any


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Every message is done."""
    return {"batchItemFailures": []}
