"""What was written before, and tables that hold it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

from tests.harness.local_aws import LocalAws

FOLDER: Final = Path(__file__).parent / "written_before"
# Fields of records and events that were added since, and what copies and parked messages carry since.
OF_MESSAGES: Final = {"mediarelay_request_id", "mediarelay_sent_at", "mediarelay_trips", "MessageGroupId"}
NEW_FIELDS: Final = {
    "voice",
    "voice_substituted",
    "transcoded_from",
    "started_at",
    "purchases",
    "cost_certain",
    "cached",
    "also",
    # who published a request, and where its result is waited for
    "message_id",
    "client",
    "reply_to",
    # under which key of the index a job is listed
    "listed",
    # who is told how it ended
    "callback",
    "callback_url",
    "callback_body",
    # of metrics, buckets and health: models, and which request a fault was of
    "marks",
    "models",
    "causes",
    "model_at_fault",
    "faults_by_model",
    # of what would expire, and of limits that are lower than declared
    "would_take_seconds",
    "declared_per_minute",
    "measured_per_minute",
    *OF_MESSAGES,
}
NAMES: Final = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
# Requests that there are now; those that there were not before are news.
REQUESTS: Final = {path.stem for path in (Path(__file__).parents[2] / "events" / "requests").iterdir()}


def written_before(name: str) -> Any:
    """Returns the content of a file."""
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))


def without_news(after: Any, before: Any) -> Any:
    """Returns *after* without the requests and fields that were added since: `cost_usd` of an attempt that was paid in
    vain, `of_account` of a refusal, which voice speaks, what an output was made of, what was bought,
    and the identity of a message. Anything else that is more or other than it was stays, and differs.
    """
    if isinstance(after, dict) and isinstance(before, dict):
        known = {name: part for name, part in after.items() if name in before or not _is_news(name, part)}
        return {name: without_news(part, before.get(name)) for name, part in known.items()}
    if isinstance(after, list) and isinstance(before, list) and len(after) == len(before):
        return [without_news(one, other) for one, other in zip(after, before, strict=True)]
    return after


def _is_news(name: str, part: Any) -> bool:
    return name in REQUESTS | NEW_FIELDS or (name in ("cost_usd", "of_account") and part is None)


def items(table: str) -> dict[str, dict[str, Any]]:
    """Returns the newest image of every item, in wire form, by its key."""
    changes = [change["dynamodb"] for change in written_before(table)]
    return {" ".join(key["S"] for key in change["Keys"].values()): restored(change["NewImage"]) for change in changes}


def fill(aws: LocalAws, table: str) -> dict[str, dict[str, Any]]:
    """Put every item into the table. Returns them."""
    found = items(table)
    for item in found.values():
        aws.dynamodb.put_item(TableName=table, Item=item)
    return found


def restored(value: Any) -> Any:
    """Returns an image with bytes where a stream has base64."""
    match value:
        case {"B": str(text), **others} if not others:
            return {"B": base64.b64decode(text)}
        case dict():
            return {name: restored(part) for name, part in value.items()}
        case list():
            return [restored(part) for part in value]
        case _:
            return value
