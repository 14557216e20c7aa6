"""What every record that is read back has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """What is read back from a table: newer fields of a newer writer are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)
