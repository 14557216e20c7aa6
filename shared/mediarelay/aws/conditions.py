"""Conditional writes: a condition that does not hold is an answer, not an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

REFUSED = "ConditionalCheckFailedException"


def held(write: Callable[[], Any]) -> bool:
    """Make a conditional write. Returns whether its condition held; other errors pass through."""
    try:
        write()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != REFUSED:
            raise
        return False
    return True
