"""The index `by-day` of the Jobs table: `listed` is the day and a shard, `received_at` the moment (job_records)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from mediarelay.api.listing.contract import shown
from mediarelay.api.listing.ports import Listing
from mediarelay.aws.stores import from_item, store_errors
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import DAY_MS, listings

INDEX: Final = "by-day"
# As many as botocore keeps connections to one address.
AT_ONCE: Final = 10


class _Read(NamedTuple):
    """What was read of a shard: `down_to` is the moment of the last item that was looked at, None for all of them."""

    items: Sequence[Mapping[str, Any]]
    down_to: int | None


class DynamoListing:
    """Implements `api.listing.ports.JobIndex`."""

    def __init__(self, client: Any, table: str) -> None:
        self._client = client
        self._table = table

    def stretch(self, since: int, until: int, *, most: int, wanted: Mapping[str, str]) -> Listing:
        """See `api.listing.ports.JobIndex.stretch`."""
        with store_errors("jobs table", "list jobs"), ThreadPoolExecutor(AT_ONCE) as pool:
            shards = listings(since // DAY_MS)
            read = list(pool.map(lambda shard: self._shard(shard, since, until, most, wanted), shards))
        jobs = [shown(JobRecord.model_validate(from_item(item))) for each in read for item in each.items]
        return Listing(jobs, max([since, *(each.down_to for each in read if each.down_to is not None)]))

    def _shard(self, shard: str, since: int, until: int, most: int, wanted: Mapping[str, str]) -> _Read:
        query = _query(shard, since, until, wanted)
        items: list[Mapping[str, Any]] = []
        page: dict[str, Any] = {}
        while True:
            answer = self._client.query(
                TableName=self._table, IndexName=INDEX, ScanIndexForward=False, Limit=most, **query, **page
            )
            items += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return _Read(items, None)
            down_to = int(answer["LastEvaluatedKey"]["received_at"]["N"])
            # A page that ended within the last moment would be read again for ever.
            if down_to < until:
                return _Read(items, down_to)
            page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def _query(shard: str, since: int, until: int, wanted: Mapping[str, str]) -> dict[str, Any]:
    values = {":shard": {"S": shard}, ":since": {"N": str(since)}, ":until": {"N": str(until)}}
    query: dict[str, Any] = {
        "KeyConditionExpression": "listed = :shard AND received_at BETWEEN :since AND :until",
        "ExpressionAttributeValues": values,
    }
    if wanted:
        names = {f"#w{number}": name for number, name in enumerate(wanted)}
        values |= {f":w{number}": {"S": value} for number, value in enumerate(wanted.values())}
        query["FilterExpression"] = " AND ".join(f"#w{number} = :w{number}" for number in range(len(wanted)))
        query["ExpressionAttributeNames"] = names
    return query
