"""Links that S3 accepts in the region where they were signed.

Amazon S3 user guide, "Virtual hosting of general purpose buckets": regions launched after 20 March 2019 answer requests
for the legacy global endpoint with 400; older ones redirect them for a new bucket, which a signature does not outlive.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from mediarelay.aws import clients
from mediarelay.results.s3 import S3Links

BUCKET = "media-results"


def signed(monkeypatch: pytest.MonkeyPatch, region: str, endpoint: str | None = None) -> str:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    _, url = S3Links(clients.client("s3", clients.BUCKET_CONFIG), BUCKET, 60).sign("tts/a.mp3")
    return url


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("us-east-1", "amazonaws.com"),
        ("eu-central-1", "amazonaws.com"),
        ("me-south-1", "amazonaws.com"),
        ("ap-southeast-5", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
    ],
)
def test_a_link_names_the_endpoint_of_its_region_and_is_signed_for_it(
    monkeypatch: pytest.MonkeyPatch, region: str, domain: str
) -> None:
    url = urlsplit(signed(monkeypatch, region))
    assert (url.scheme, url.netloc, url.path) == ("https", f"{BUCKET}.s3.{region}.{domain}", "/tts/a.mp3")
    assert parse_qs(url.query)["X-Amz-Credential"][0].split("/")[2:] == [region, "s3", "aws4_request"]


def test_a_local_aws_keeps_the_bucket_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody resolves a bucket's name below an IP address."""
    url = urlsplit(signed(monkeypatch, "us-east-1", "http://127.0.0.1:4566"))
    assert (url.netloc, url.path) == ("127.0.0.1:4566", f"/{BUCKET}/tts/a.mp3")
