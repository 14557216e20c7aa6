"""What was changed through the API, on DynamoDB."""

from __future__ import annotations

from typing import Any

from mediarelay.api.contract import AuditEntry
from mediarelay.api.dynamodb import DynamoAudit
from tests.builders.requests import EPOCH_MS
from tests.harness.local_aws import TELEMETRY

NOW = EPOCH_MS / 1000


def entry(at: float, **fields: Any) -> AuditEntry:
    return AuditEntry(at=at, **{"author": "ann", "action": "override.set", "subject": "provider:p", **fields})


def test_the_newest_is_read_first_and_nothing_from_before(aws: Any) -> None:
    audit = DynamoAudit(aws.dynamodb, TELEMETRY)
    entries = [entry(NOW + number, reason=f"reason {number}", before="down") for number in range(4)]
    for each in entries:
        audit.add(each)
    assert audit.since(NOW + 1, 10) == entries[:0:-1]
    assert audit.since(0, 2) == [entries[3], entries[2]]


def test_two_at_the_same_moment_are_two(aws: Any) -> None:
    audit = DynamoAudit(aws.dynamodb, TELEMETRY)
    audit.add(entry(NOW))
    audit.add(entry(NOW))
    assert audit.since(NOW, 10) == [entry(NOW), entry(NOW)]
