"""What a function's answer says about its batch (ReportBatchItemFailures). Pure: no MiniStack in it."""

from typing import Any

REPORTS = "ReportBatchItemFailures"


def failed_identifiers(answer: Any, batch: list[str]) -> set[str]:
    """The identifiers of the batch that the function reports as failed.

    As on AWS an empty answer means that all succeeded, and an answer that cannot be read, or names what is not in the
    batch, that all failed: a record delivered twice can be borne, a lost one cannot.
    """
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, dict):
        return set(batch)
    failures = answer.get("batchItemFailures") or []
    named = [_identifier(failure) for failure in failures]
    if any(identifier not in batch for identifier in named):
        return set(batch)
    return {str(identifier) for identifier in named}


def _identifier(failure: Any) -> Any:
    return failure.get("itemIdentifier") if isinstance(failure, dict) else None
