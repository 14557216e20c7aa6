"""The dashboard in a real browser: headless Chromium, which Debian packages as `chromium`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from mediarelay.budgets.dynamodb import DynamoBudgets
from mediarelay.budgets.ports import Allowance, BudgetChange, Entry
from mediarelay.budgets.windows import nanos, window_at
from tests.e2e.health_desk import TOKEN, HealthDesk
from tests.harness.deployed import Relay

pytestmark = pytest.mark.stack

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE_MS = 600_000  # ends a hang
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
SHOTS = Path(__file__).parents[2] / "build" / "dashboard"


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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    # Inside a container there are no user namespaces for Chromium's sandbox; the page is our own.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(color_scheme=request.param)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield page
    context.close()


@pytest.fixture
def force(desk: HealthDesk) -> Iterator[Callable[[str], None]]:
    """Force openai-tts; it is taken back afterwards, since other tests share the stack."""

    def order(status: str) -> None:
        wanted = {
            "subject": "provider:openai-tts",
            "force": status,
            "author": "ann",
            "reason": "a test of the page",
            "expires_in_seconds": 3600,
        }
        assert desk.post("/api/v1/overrides", wanted).status_code == 200

    yield order
    assert desk.delete("/api/v1/overrides/provider%3Aopenai-tts").status_code == 204
    assert desk.get("/api/v1/overrides").json()["overrides"] == []


def test_a_change_of_status_shows_by_itself_and_nothing_is_wrong_in_the_console(
    desk: HealthDesk, page: Page, force: Callable[[str], None]
) -> None:
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if _is_error(message) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    force("healthy")
    page.goto(f"{desk.base}/")
    page.get_by_label("API token").fill(TOKEN)
    page.get_by_role("button", name="Show").click()
    card = page.locator("[data-provider='openai-tts']")
    expect(card).to_have_attribute("data-status", "healthy")
    force("down")
    expect(card).to_have_attribute("data-status", "down")
    expect(card).to_contain_text("forced down by e2e: a test of the page")  # whose token it is, whoever it claims to be
    assert wrong == []
    _photograph(page)


@pytest.mark.usefixtures("budgets")
def test_budgets_are_asked_for_when_they_are_shown(desk: HealthDesk, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/budgets") else None)
    page.goto(f"{desk.base}/")
    page.get_by_label("API token").fill(TOKEN)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status")).to_contain_text("as of")
    assert asked == []
    page.get_by_text("Spent, reserved and left").click()
    tenant = page.locator("[data-payer='tenant:page']")
    expect(tenant).to_contain_text("$1.25 spent, $0.5000 reserved, $8.25 left of $10.00")
    expect(tenant).to_contain_text("$1.75 spent or reserved, no bound")
    expect(tenant).to_contain_text("fal-kling $1.25")
    expect(tenant).to_contain_text("openai-tts $0.00, $0.5000 reserved")
    expect(page.locator("[data-payer='stage']")).to_contain_text("$0.2500 left of $2.00")
    assert len(asked) == 1
    _photograph(page)


def test_a_token_in_the_fragment_signs_in_and_does_not_stay_in_the_address(desk: HealthDesk, page: Page) -> None:
    page.goto(f"{desk.base}/#token={TOKEN}")
    expect(page.locator("#sign-in")).to_be_hidden()
    assert page.evaluate("location.href") == f"{desk.base}/"


def test_a_wrong_token_is_told_and_shows_nothing(desk: HealthDesk, page: Page) -> None:
    page.goto(f"{desk.base}/")
    page.get_by_label("API token").fill("wrong-" * 6)
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status")).to_have_text("that token is not known")
    expect(page.locator("#board")).to_be_hidden()


def _is_error(message: ConsoleMessage) -> bool:
    # Containers that other tests start and stop change the host's network interfaces; Chromium then breaks off what is
    # under way, even on loopback. The page asks again by itself, which is what the test goes on to see.
    return message.type in ("error", "warning") and "net::ERR_NETWORK_CHANGED" not in message.text


def _photograph(page: Page) -> None:
    """For people to look at; wide content must scroll in its own frame, never the page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    scheme = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'")
    for name, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=SHOTS / f"{name}-{scheme}.png", full_page=True)
