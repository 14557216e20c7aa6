"""Every AWS call of this process, whichever client makes it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient

from tools.bench.costs.item_size import write_units

# What a worker may only do now and then: what it learns must be remembered for the requests that follow.
READS = frozenset(
    {
        *("dynamodb:Query", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Scan"),
        "secretsmanager:GetSecretValue",
    }
)

# Statements are counted instead of the calls that carry them: how many go together depends on who ends when.
STATEMENTS = "dynamodb:BatchExecuteStatement"


@dataclass
class Ledger:
    """Calls by `service:Operation`, the conditional writes of jobs, and the write units of what BatchWriteItem put."""

    calls: Counter[str] = field(default_factory=Counter)
    job_writes: int = 0
    put_units: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def reads(self) -> dict[str, int]:
        """Those calls that read."""
        return {name: count for name, count in self.calls.items() if name in READS}

    def note(self, name: str, params: Mapping[str, Any]) -> None:
        """One call."""
        batches = params.get("RequestItems", {}).values() if name.endswith(":BatchWriteItem") else ()
        puts = [put["PutRequest"]["Item"] for batch in batches for put in batch]
        statements = len(params.get("Statements", ()))
        with self._lock:
            self.calls[name] += statements or 1
            self.job_writes += statements + name.endswith(":UpdateItem")
            self.put_units += sum(map(write_units, puts))


@contextmanager
def counting(ledger: Ledger) -> Iterator[None]:
    """Note in the ledger what is called meanwhile."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 # the one place that every call passes

    def noted(client: BaseClient, operation: str, params: dict[str, Any]) -> Any:
        ledger.note(f"{client.meta.service_model.service_name}:{operation}", params)
        return call(client, operation, params)

    with patch.object(BaseClient, "_make_api_call", noted):
        yield
