"""What every record that is read back has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """What is read back from a table: newer fields of a newer writer are ignored.

    A function imports records that it seldom or never reads, so each is built when it is first used.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)
