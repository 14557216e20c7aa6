"""How the video and audio jobs of a run stand, as their records say."""

from __future__ import annotations

from collections import Counter
from typing import Any

from mediarelay.vocabulary.kinds import LONG_KINDS, JobStatus


class JobStates:
    """Reads the Jobs table."""

    def __init__(self, dynamodb: Any, table: str, run: str) -> None:
        """`run` is what the ids of the run's jobs begin with."""
        self._dynamodb = dynamodb
        self._table = table
        self._run = run
        self._told: str | None = None

    def changed(self) -> str | None:
        """Jobs by state in words, such as `2 running, 5 polling`; None when nothing has changed since the last look."""
        counts = self._counts()
        told = ", ".join(f"{counts[state]} {state}" for state in JobStatus if counts[state])
        if not told or told == self._told:
            return None
        self._told = told
        return told

    def _counts(self) -> Counter[str]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self._table)
        items = (item for page in pages for item in page["Items"])
        mine = (item for item in items if item["request_id"]["S"].startswith(self._run))
        return Counter(item["status"]["S"] for item in mine if item.get("kind", {}).get("S") in LONG_KINDS)
