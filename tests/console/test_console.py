"""The console in a real browser, over the function that serves it and AWS by moto."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from functions.serve_api import app
from tests.harness.console.browser import FILES, PICTURE, SHOTS, complaints, grave_faults, opened, photograph
from tests.harness.console.scene import HOSTILE, Scene
from tests.harness.function_events import http_event
from tests.harness.functions import Context

OPERATOR, VIEWER, PUBLISHER = "operator-token", "viewer-token", "publisher-token"
# What is on each view once it is there.
VIEWS = {
    "": "Newest jobs",
    "providers": "All providers",
    "providers/openai-tts": "server_error",
    "keys": "rate_limited",
    "jobs": "order-19",
    "jobs/order-17": "gpt-image-2",
    "incidents": "is down",
    "incidents/openai-tts-1": "500s of its speech endpoint",
    "money": "By provider",
    "dlq": "no_provider",
    "audit": "nothing has been changed",
}


def go(page: Page, view: str) -> None:
    page.evaluate("view => { location.hash = `/${view}`; }", view)
    expect(page.locator("main")).to_contain_text(VIEWS.get(view, ""))


def api(path: str) -> dict[str, object]:
    """What the API says to anybody else."""
    found: dict[str, object] = json.loads(app.handler(http_event("GET", f"/api/v1/{path}"), Context())["body"])
    return found


# Examining a view takes seconds: each is examined once, and the first twice.
EXAMINED = {
    "desktop": ("", "jobs/order-17", "money", "dlq", "audit"),
    "phone": ("", "providers/openai-tts", "keys", "incidents"),
}


@pytest.mark.parametrize(("size", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_every_view_is_whole_and_can_be_used_by_everybody(browser: Browser, base: str, size: str, scheme: str) -> None:
    with opened(browser, size, scheme) as page:
        page.route(FILES, lambda route: route.fulfill(body=PICTURE, content_type="image/png"))
        wrong = complaints(page)
        page.goto(f"{base}/#token={OPERATOR}")
        for view in VIEWS:
            go(page, view)
            photograph(page, f"{(view or 'overview').replace('/', '-')}-{size}-{scheme}")
            assert view not in EXAMINED[size] or grave_faults(page) == [], view
        assert wrong == []
    assert (SHOTS / f"overview-{size}-{scheme}.png").is_file()


def test_a_token_in_the_fragment_signs_in_and_does_not_stay_in_the_address(browser: Browser, base: str) -> None:
    with opened(browser) as page:
        page.goto(f"{base}/#/providers/openai-tts?token={OPERATOR}")
        expect(page.get_by_role("heading", name="openai-tts")).to_be_visible()
        assert page.evaluate("location.href") == f"{base}/#/providers/openai-tts"


def test_a_wrong_token_shows_nothing_and_says_so(browser: Browser, base: str) -> None:
    with opened(browser) as page:
        page.goto(f"{base}/#/money")
        page.get_by_label("API token").fill("wrong")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("status")).to_contain_text("that token is not known")
        page.get_by_label("API token").fill(OPERATOR)
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("heading", name="Money")).to_be_visible()  # the address was kept


def test_what_a_publisher_wrote_is_text(scene: Scene, page: Page) -> None:
    wrong = complaints(page)
    name = next(job for job in scene.ids() if job.startswith("hostile"))
    page.evaluate("id => { location.hash = `/jobs/${encodeURIComponent(id)}`; }", name)
    article = page.locator("article.job")
    expect(article).to_contain_text(HOSTILE)
    assert article.inner_text().count("<img src=x") >= 5
    expect(page.get_by_role("heading", name="hostile-")).to_have_text(name)
    go(page, "dlq")
    expect(page.locator("[data-code='invalid_request']")).to_contain_text(HOSTILE)
    assert page.locator("main img, main script, main iframe, main object").count() == 0
    assert "owned" not in page.title().partition("hostile")[0]
    assert wrong == []


def test_the_way_to_a_file_takes_no_mouse(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.get_by_role("heading", name="Money")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("j")
    link = page.locator("[data-row] a", has_text="order-17")
    expect(link).to_be_visible()
    for _ in range(4):
        page.keyboard.press("j")
        if link.evaluate("link => link === document.activeElement"):
            break
    page.keyboard.press("Enter")
    picture = page.get_by_role("img", name=re.compile("what was made"))
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("naturalWidth", 1)
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Money")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Overview")).to_be_attached()
    page.keyboard.press("Escape")  # there is nothing before it that is the console's
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="Providers")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=re.compile("openai-image"))).to_be_visible()


def test_jobs_are_narrowed_down_by_what_they_are(page: Page) -> None:
    go(page, "jobs")
    page.get_by_label("status").select_option("succeeded")
    expect(page.locator("tbody [data-row]")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text("order-17")
    assert page.evaluate("location.hash") == "#/jobs?status=succeeded"
    page.keyboard.press("/")
    page.keyboard.type("order-18")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="order-18")).to_be_visible()
    expect(page.locator("article.job .headline")).to_contain_text("running")


def test_focus_stays_where_it_is_while_the_page_is_refreshed(page: Page) -> None:
    link = page.locator("[data-provider='elevenlabs-tts'] a")
    link.focus()
    with page.expect_response(re.compile("overview")):
        page.keyboard.press("r")
    expect(link).to_be_focused()


def test_a_viewer_is_offered_nothing_that_it_may_not_do(browser: Browser, base: str) -> None:
    with opened(browser) as page:
        page.goto(f"{base}/#token={VIEWER}")
        expect(page.get_by_role("link", name="jobs", exact=True)).to_be_visible()
        assert page.get_by_role("link", name="audit").count() == 0
        for view in ("keys", "dlq", "providers/openai-tts"):
            go(page, view)
            assert page.get_by_role("button", name="…").count() == 0
        go(page, "jobs/order-17")
        expect(page.locator("main")).to_contain_text("a viewer's token is given no links")


def test_a_publisher_is_told_where_its_jobs_are(browser: Browser, base: str) -> None:
    with opened(browser) as page:
        page.goto(f"{base}/#token={PUBLISHER}")
        expect(page.locator("main")).to_contain_text("A publisher's token has no console")


def test_figures_are_kept_and_said_to_be_old_while_the_api_is_away(page: Page) -> None:
    def away(route: Route) -> None:
        route.fulfill(status=503, json={"code": "store_unavailable", "message": "the telemetry table is away"})

    page.route(re.compile("api/v1/overview"), away)
    page.keyboard.press("r")
    expect(page.get_by_role("alert")).to_contain_text("the telemetry table is away; trying again in 5 s")
    expect(page.locator("[data-provider='openai-tts']")).to_contain_text("7.0 %")
    page.unroute(re.compile("api/v1/overview"))
    page.keyboard.press("r")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_link_that_has_ended_is_renewed_once(page: Page) -> None:
    asked: list[str] = []

    def ended(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=403, body="Request has expired")
        else:
            route.fulfill(body=PICTURE, content_type="image/png")

    page.unroute(FILES)
    page.route(FILES, ended)
    page.evaluate("location.hash = '/jobs/order-17'")
    expect(page.locator(".media img")).to_have_js_property("naturalWidth", 1)
    assert len(asked) == 2


def test_the_figures_of_the_page_are_those_of_the_api(page: Page) -> None:
    overview = api("overview")
    line = next(each for each in overview["providers"] if each["name"] == "openai-image")  # type: ignore[attr-defined]
    today = overview["today"]
    assert isinstance(today, dict)
    expect(page.locator(".tile", has_text="cost today")).to_contain_text(f"${today['cost_usd']:,.2f}")
    expect(page.locator("[data-provider='openai-image']")).to_contain_text(f"${line['cost_today_usd']:,.2f}")
    go(page, "money")
    expect(page.locator("[data-figure='today']")).to_have_text(f"${today['cost_usd']:,.2f}")
