"""The console's page as the function answers with it."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Callable
from typing import Any

import pytest

from functions.serve_api import app
from mediarelay.api.console import content_security_policy
from tests.harness.function_events import http_event
from tests.harness.functions import Context, Deployed

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(deployed: Deployed) -> Ask:
    assert deployed.aws.s3
    app.application.cache_clear()

    def call(**headers: str) -> dict[str, Any]:
        answer: dict[str, Any] = app.handler(http_event("GET", "/", headers=headers), Context())
        return answer

    return call


def test_the_page_is_at_most_ninety_kilobytes_and_twenty_eight_compressed(ask: Ask) -> None:
    plain, packed = ask(), ask(**{"accept-encoding": "gzip, deflate, br"})
    assert (plain["isBase64Encoded"], packed["isBase64Encoded"]) == (False, True)
    body = base64.b64decode(packed["body"])
    assert packed["headers"]["Content-Encoding"] == "gzip"
    assert gzip.decompress(body).decode() == plain["body"]
    assert len(plain["body"].encode()) <= 90 * 1024
    assert len(body) <= 28 * 1024


def test_who_has_it_is_not_sent_it_again(ask: Ask) -> None:
    tag = ask()["headers"]["ETag"]
    again = ask(**{"if-none-match": tag})
    assert (again["statusCode"], again.get("body") or "", again["headers"]["Cache-Control"]) == (304, "", "no-cache")


def test_nothing_but_its_own_script_and_style_runs_and_files_come_from_the_bucket_alone(ask: Ask) -> None:
    answer = ask()
    policy = dict(part.split(" ", 1) for part in answer["headers"]["Content-Security-Policy"].split("; "))
    origin = "https://results-bucket.s3.eu-central-1.amazonaws.com"
    assert policy["default-src"] == "'none'"
    assert (policy["media-src"], policy["img-src"]) == (origin, f"'self' data: {origin}")
    assert (policy["require-trusted-types-for"], policy["trusted-types"]) == ("'script'", "'none'")
    assert "unsafe" not in answer["headers"]["Content-Security-Policy"]
    scripts = re.findall(r"<script>(.*?)</script>", answer["body"], re.DOTALL)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert policy["script-src"] == " ".join(f"'sha256-{digest}'" for digest in hashes)
    assert re.findall(r"<script\b[^>]+>|\son[a-z]+=|\sstyle=|https?://(?!www\.w3\.org)", answer["body"]) == []


def test_the_policy_allows_what_the_page_holds_by_hash() -> None:
    page = "<style>a</style><script>b</script>"
    policy = content_security_policy(page, "https://bucket.example")
    for text in "ab":
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
