"""What every route may answer instead, apart from what each of them gives."""

from __future__ import annotations

from pydantic import Field

from mediarelay.vocabulary.model import Record


class Problem(Record):
    """Why a request was not served."""

    code: str = Field(description="Stable, for programs.")
    message: str = Field(description="For people.")
    retryable: bool = Field(default=False, description="Whether the same request may succeed a little later.")
