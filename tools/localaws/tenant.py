"""MiniStack keeps state per account and region, and finds both in context variables."""

from collections.abc import Iterator
from contextlib import contextmanager

from tools.localaws.upstream import responses


@contextmanager
def tenant(account: str, region: str) -> Iterator[None]:
    """Act as one account in one region; background threads belong to none."""
    account_token = responses._request_account_id.set(account)
    region_token = responses._request_region.set(region)
    try:
        yield
    finally:
        responses._request_account_id.reset(account_token)
        responses._request_region.reset(region_token)
