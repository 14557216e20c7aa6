"""boto3 clients as the workers want them."""

from __future__ import annotations

from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

# A store that hangs must not eat the time that paid calls need: two tries, two seconds to connect, three to answer.
# The services decide whether to retry.
# A user agent of our own: botocore's is put together anew for every call, at a tenth of what the call costs.
STORE_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=20,
    user_agent="mediarelay",
)
# Uploading a large result takes longer than a table's answer.
# Links must name the region's own endpoint: botocore's default is the legacy global one, which answers 400 for regions
# launched since March 2019 and redirects from the others, where a signature fails (S3 user guide, "Virtual hosting of
# general purpose buckets", legacy endpoints). An endpoint that is an IP address keeps the bucket in the path.
BUCKET_CONFIG: Final = STORE_CONFIG.merge(
    Config(
        read_timeout=20,
        signature_version="s3v4",
        s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"},
    )
)
# Telemetry is never waited for: one short try, beside that of `_again_if_stale`.
TELEMETRY_CONFIG: Final = STORE_CONFIG.merge(
    Config(connect_timeout=1, read_timeout=1.5, retries={"mode": "standard", "total_max_attempts": 1})
)
# A whole batch waits for its permits, and workers can do without the table: as telemetry, half a second.
LEASE_CONFIG: Final = STORE_CONFIG.merge(
    Config(connect_timeout=0.5, read_timeout=0.5, retries={"mode": "standard", "total_max_attempts": 1})
)


def client(service: str, config: Config = STORE_CONFIG) -> Any:
    """Make a client of the function's own region and role; `AWS_ENDPOINT_URL` points it at a local AWS."""
    made = boto3.client(service, config=config)  # type: ignore[call-overload]  # the name is a variable
    made.meta.events.register_first("needs-retry.*", _again_if_stale)
    return made


def _again_if_stale(*, endpoint: Any, attempts: int, caught_exception: Exception | None, **_: Any) -> float | None:
    """Return no delay where a first attempt met a connection that is dead; None leaves it to the client's own retries.

    While Lambda keeps a worker frozen, its idle connections are purged (Lambda developer guide, "Best practices for
    working with AWS Lambda functions"). Such an attempt fails at once, so that another one still ends in time. Every
    other idle connection may be dead as well.
    """
    if attempts > 1 or not isinstance(caught_exception, ConnectionClosedError):
        return None
    endpoint.http_session.close()
    return 0.0
