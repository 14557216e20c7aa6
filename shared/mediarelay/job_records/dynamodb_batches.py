"""Several jobs claimed or settled by one BatchExecuteStatement: each PartiQL statement is a conditional write.

The answer None means that this job must be written by itself.

An INSERT of an item that exists is refused (`DuplicateItem`), and so is an UPDATE whose WHERE does not hold
(`ConditionalCheckFailed`); a missing item is not created.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mediarelay.aws.clients import store_errors
from mediarelay.aws.items import from_item, to_item
from mediarelay.job_records.claims import Claim, Claimed, Settlement
from mediarelay.job_records.dynamodb_values import claim_values, settlement_values
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import JobStatus

# DynamoDB's own maximum of a BatchExecuteStatement.
STATEMENTS_LIMIT: Final = 25


def insert(table: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement that puts an item, in wire form, where there is none."""
    fields = ", ".join([f"'{name}': ?" for name in item])
    return {"Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}', "Parameters": list(item.values())}


def update(table: str, sets: Mapping[str, Any], removes: tuple[str, ...], where: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statement that changes the item with these attributes, its key among them. Values in wire form."""
    clauses = [f'SET "{name}"=?' for name in sets] + [f'REMOVE "{name}"' for name in removes]
    conditions = " AND ".join([f'"{name}"=?' for name in where])
    return {
        "Statement": f'UPDATE "{table}" {" ".join(clauses)} WHERE {conditions}',
        "Parameters": [*sets.values(), *where.values()],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


_STORE: Final = "jobs table"
_EXISTS: Final = "DuplicateItem"
_REFUSED: Final = "ConditionalCheckFailed"


class JobBatches:
    """Calls the table; `claim` and `settle` raise `StoreUnavailable` when it answers none of a batch."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def claim(self, claims: Sequence[Claim]) -> list[Claimed | StoreUnavailable | None]:
        """Claim jobs that are new. Returns None for one that exists already."""
        statements = [insert(self._table, to_item(_fresh(claim))) for claim in claims]
        errors = self._execute([claim.request_id for claim in claims], statements, "claim jobs")
        return [_claimed(error, claim) for error, claim in zip(errors, claims, strict=True)]

    def settle(self, settlements: Sequence[Settlement]) -> list[bool | StoreUnavailable | None]:
        """Settle jobs. Returns False where the claim is no longer ours."""
        statements = [self._ending(settlement) for settlement in settlements]
        errors = self._execute([one.request_id for one in settlements], statements, "settle jobs")
        return [_settled(error, one) for error, one in zip(errors, settlements, strict=True)]

    def _ending(self, settlement: Settlement) -> dict[str, Any]:
        mine = {
            "request_id": settlement.request_id,
            "claim_id": settlement.claim_id,
            "status": JobStatus.RUNNING,
        }
        return update(self._table, to_item(settlement_values(settlement)), ("lease_until",), to_item(mine))

    def _execute(
        self, ids: Sequence[str], statements: Sequence[Mapping[str, Any]], operation: str
    ) -> list[Mapping[str, Any] | None]:
        """Returns each statement's error, empty for none; None for a second one about an item, which is left out."""
        first = {request_id: number for number, request_id in reversed(list(enumerate(ids)))}
        numbers = sorted(first.values())
        with store_errors(_STORE, operation):
            answer = self._client.batch_execute_statement(Statements=[statements[number] for number in numbers])
        errors = dict(zip(numbers, (one.get("Error", {}) for one in answer["Responses"]), strict=True))
        return [errors.get(number) for number in range(len(ids))]


def _fresh(claim: Claim) -> dict[str, Any]:
    facts = {"request_id": claim.request_id, "received_at": claim.received_at, "claims": 1}
    return {**facts, **claim_values(claim)}


def _claimed(error: Mapping[str, Any] | None, claim: Claim) -> Claimed | StoreUnavailable | None:
    if error is None or error.get("Code") == _EXISTS:
        return None
    return _failed(error, "claim jobs") if error else Claimed(claim.received_at)


def _settled(error: Mapping[str, Any] | None, settlement: Settlement) -> bool | StoreUnavailable | None:
    if error is None:
        return None
    if error.get("Code") != _REFUSED:
        return _failed(error, "settle jobs") if error else True
    # A repeated write whose first answer was lost is recognised as done.
    standing = from_item(error.get("Item", {}))
    return (standing.get("claim_id"), standing.get("status")) == (settlement.claim_id, settlement.status)


def _failed(error: Mapping[str, Any], operation: str) -> StoreUnavailable:
    return StoreUnavailable(_STORE, operation, str(error.get("Code", "unknown")))
