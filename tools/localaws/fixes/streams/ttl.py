"""Items that expire leave a stream record.

AWS: a TTL deletion is a REMOVE record whose userIdentity is the DynamoDB service; values older than five years, and
values that are no numbers, never expire.
Stock: expired items vanish once a minute with no record at all, also those five years old.
Matters: whatever counts items by their stream, or listens for expiry.
AWS takes up to days; here every MEDIARELAY_LOCAL_TTL_SECONDS (10).
"""

import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from tools.localaws.anchors import expect_attributes, expect_function
from tools.localaws.clock import every, seconds_from_environment
from tools.localaws.tenant import tenant
from tools.localaws.upstream import dynamodb

FIVE_YEARS_SECONDS = 5 * 365 * 24 * 3600
STOCK_SWEEPER = "dynamodb-ttl-reaper"
SERVICE_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

_expiring: ContextVar[bool] = ContextVar("expiring", default=False)


def apply() -> None:
    """Sweep expired items ourselves, and sign their stream records with the service's name."""
    expect_attributes(dynamodb, "_lock", "_ttl_settings", "_tables")
    expect_function(dynamodb, "_emit_stream_event", "table_name", "event_name", "old_item", "new_item", "replicate")
    _retire_stock_sweeper()
    _sign_records()
    every(seconds_from_environment("MEDIARELAY_LOCAL_TTL_SECONDS", 10), sweep, "ttl-sweeper")


def _retire_stock_sweeper() -> None:
    # Its thread starts on import and cannot be stopped, so its deletions are made to do nothing.
    remove = expect_function(dynamodb, "_remove_item", "table", "pk_val", "sk_val")

    def remove_unless_stock_sweep(table: Any, pk_val: Any, sk_val: Any) -> Any:
        return None if threading.current_thread().name == STOCK_SWEEPER else remove(table, pk_val, sk_val)

    dynamodb._remove_item = remove_unless_stock_sweep


def _sign_records() -> None:
    build = expect_function(
        dynamodb, "_build_change_record", "table", "event_name", "old_item", "new_item", "view_type"
    )

    def build_signed(*args: Any, **kwargs: Any) -> dict[str, Any]:
        record: dict[str, Any] = build(*args, **kwargs)
        return {**record, "userIdentity": dict(SERVICE_IDENTITY)} if _expiring.get() else record

    dynamodb._build_change_record = build_signed


def sweep() -> None:
    """Delete every expired item of every table once."""
    for (account, region, name), setting in list(dynamodb._ttl_settings.all_items()):
        table = dynamodb._tables.get_scoped(account, region, name)
        if table and setting.get("TimeToLiveStatus") == "ENABLED":
            with tenant(account, region):
                _sweep_table(name, table, setting["AttributeName"])


def _sweep_table(name: str, table: dict[str, Any], attribute: str) -> None:
    signing = _expiring.set(True)
    try:
        with dynamodb._lock:
            for partition, sort in list(_expired(table, attribute, time.time())):
                old = dynamodb._remove_item(table, partition, sort)
                dynamodb._emit_stream_event(name, "REMOVE", old, None)
    finally:
        _expiring.reset(signing)


def _expired(table: dict[str, Any], attribute: str, now: float) -> Iterator[tuple[Any, Any]]:
    for partition, items in table["items"].items():
        for sort, item in items.items():
            expiry = item.get(attribute, {}).get("N")
            if expiry is not None and now - FIVE_YEARS_SECONDS < float(expiry) <= now:
                yield partition, sort
