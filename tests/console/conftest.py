from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from mediarelay.aws.system_clock import SystemClock
from tests.harness.console.api_server import api_server
from tests.harness.console.browser import FILES, PICTURE, chromium, opened
from tests.harness.console.scene import Scene
from tests.harness.local_aws import BUCKET, JOBS, REGION, TELEMETRY, USAGE, local_aws

OPERATOR, VIEWER, PUBLISHER = "operator-token", "viewer-token", "publisher-token"
CALLERS = {
    OPERATOR: {"token": "ann", "role": "operator"},
    VIEWER: {"token": "vic", "role": "viewer"},
    PUBLISHER: {"token": "pat", "role": "publisher", "tenant": "acme"},
}


@pytest.fixture(scope="module")  # not longer: while it is there, an event loop runs, and no other may begin
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    """One for all tests of a file: most of them change nothing."""
    with pytest.MonkeyPatch.context() as patch, local_aws() as aws:
        environment = {
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "STAGE": "prod",
            "JOBS_TABLE": JOBS,
            "TELEMETRY_TABLE": TELEMETRY,
            "USAGE_TABLE": USAGE,
            "RESULTS_BUCKET": BUCKET,
            "REQUEST_QUEUE_URL": aws.queue_url,
            "PICTURE_QUEUE_URL": aws.picture_url,
            "REQUEST_DLQ_URL": aws.dlq_url,
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        made = Scene(aws, SystemClock().now())
        made.play()
        yield made


@pytest.fixture(scope="module")
def base(scene: Scene) -> Iterator[str]:
    """Where the console is."""
    assert scene.aws.s3
    with api_server(CALLERS) as address:
        yield address


@pytest.fixture
def page(browser: Browser, base: str) -> Iterator[Page]:
    """An operator's."""
    with opened(browser) as page:
        page.route(FILES, lambda route: route.fulfill(body=PICTURE, content_type="image/png"))
        page.goto(f"{base}/#token={OPERATOR}")
        expect(page.get_by_role("heading", name="Overview")).to_be_attached()
        yield page
