"""boto3 clients as the workers want them."""

from __future__ import annotations

from typing import Any, Final

import boto3
from botocore.config import Config

from mediarelay.aws.stores import again_if_stale

# A store that hangs must not eat the time that paid calls need: two tries, two seconds to connect, three to answer.
# The services decide whether to retry.
# A user agent of our own: botocore's is put together anew for every call, at a tenth of what the call costs.
STORE_CONFIG: Final = Config(
    connect_timeout=2,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 2},
    # A worker's threads may all talk to one store at once, and a connection beyond this is made anew for each call.
    max_pool_connections=100,
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
# Telemetry is never waited for: one short try, beside that of `again_if_stale`.
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
    made.meta.events.register_first("needs-retry.*", again_if_stale)
    return made
