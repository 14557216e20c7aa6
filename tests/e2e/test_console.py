"""The console of the deployed template: a job is followed from publish to its playing file, and what was spent."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from mediarelay.budgets.dynamodb import DynamoBudgets
from mediarelay.budgets.ports import Allowance, BudgetChange, Entry
from mediarelay.budgets.windows import nanos, window_at
from tests.e2e.health_desk import TOKEN, HealthDesk
from tests.harness.console.browser import chromium, complaints, opened, photograph
from tests.harness.deployed import Relay

pytestmark = pytest.mark.stack

PATIENCE_MS = 600_000  # ends a hang
FEW = 20


@pytest.fixture(scope="module")
def desk(relay: Relay) -> HealthDesk:
    return HealthDesk(relay)


@pytest.fixture(scope="module")
def budgets(relay: Relay) -> None:
    """What a tenant and the stage have spent and set aside today."""
    now = time.time()
    store = DynamoBudgets(relay.stack.client("dynamodb"), relay.stack.outputs["TelemetryTableName"], lambda: now)
    month, day = window_at(now)
    for payer, most in (("tenant:page", 10), ("stage", 2)):
        bound = Allowance(None, nanos(most))
        clip, speech = Entry(day, nanos(1.25), "e2e", "fal-kling"), Entry(day, nanos(0.5), "e2e", "openai-tts")
        store.change(BudgetChange(payer, month, "clip", None, clip, allowance=bound))
        store.change(BudgetChange(payer, month, "clip", clip, None, {"fal-kling": clip.amount}))
        store.change(BudgetChange(payer, month, "speech", None, speech, allowance=bound))


@pytest.fixture
def page(desk: HealthDesk) -> Iterator[Page]:
    with chromium() as browser, opened(browser) as page:
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.goto(f"{desk.base}/#token={TOKEN}")
        expect(page.get_by_role("heading", name="Overview")).to_be_attached()
        yield page


def test_a_job_is_followed_from_its_request_to_its_playing_file_by_keyboard(relay: Relay, page: Page) -> None:
    wrong = complaints(page)
    say = {"request_id": "console-1", "kind": "tts", "input": {"text": "hello from the console", "format": "wav"}}
    relay.publish([say])
    page.keyboard.press("g")
    page.keyboard.press("j")
    link = page.locator("[data-row] a", has_text="console-1")
    expect(link).to_be_visible()
    for _ in range(FEW):
        page.keyboard.press("j")
        if link.evaluate("link => link === document.activeElement"):
            break
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    job = page.locator("[data-job='console-1']")
    expect(job.locator(".headline [data-status]")).to_have_attribute("data-status", "succeeded")
    expect(job.locator(".timeline")).to_contain_text("settled: succeeded")
    sound = job.locator("audio")
    for _ in range(FEW):
        page.keyboard.press("Tab")
        if sound.evaluate("sound => sound === document.activeElement"):
            break
    page.keyboard.press("Space")
    expect(sound).not_to_have_js_property("currentTime", 0)
    photograph(page, "job-deployed-desktop-light")
    assert wrong == []


def test_a_picture_is_shown_and_what_it_cost_is_what_the_ledger_has(relay: Relay, desk: HealthDesk, page: Page) -> None:
    relay.publish([{"request_id": "console-2", "kind": "image", "input": {"prompt": "a lighthouse"}}])
    relay.await_events(["console-2"])
    page.get_by_role("searchbox").fill("console-2")
    page.keyboard.press("Enter")
    picture = page.locator("[data-job='console-2'] img")
    expect(picture).to_be_visible()
    expect(picture).not_to_have_js_property("naturalWidth", 0)
    (job,) = desk.get("/api/v1/jobs/console-2").json()["jobs"]
    assert job["cost_usd"] > 0
    expect(page.locator("[data-job='console-2'] .headline")).to_contain_text(f"${job['cost_usd']:.4f}")


@pytest.mark.usefixtures("budgets")
def test_what_is_spent_reserved_and_left_of_a_budget_is_on_the_page_of_money(page: Page) -> None:
    page.evaluate("location.hash = '/money'")
    tenant = page.locator("[data-payer='tenant:page']")
    expect(tenant).to_contain_text("month: $1.75 of $10.00, $8.25 left")
    expect(tenant).to_contain_text("fal-kling $1.25")
    expect(tenant).to_contain_text("openai-tts $0.00, $0.5000 reserved")
    expect(page.locator("[data-payer='stage']")).to_contain_text("$0.2500 left")


def test_a_change_of_status_shows_by_itself(desk: HealthDesk, page: Page) -> None:
    wanted = {"subject": "provider:openai-tts", "force": "down", "reason": "a test", "expires_in_seconds": 3600}
    page.evaluate("location.hash = '/providers'")
    line = page.locator("[data-provider='openai-tts']")
    expect(line).to_be_visible()
    assert desk.post("/api/v1/overrides", wanted).status_code == 200
    try:
        expect(line).to_have_attribute("data-status", "down")
    finally:
        assert desk.delete("/api/v1/overrides/provider%3Aopenai-tts").status_code == 204
