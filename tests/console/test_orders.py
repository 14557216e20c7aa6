"""What an operator does by the forms of the console, in the order of this file."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.harness.console.browser import photograph
from tests.harness.console.scene import Scene


def test_a_class_of_dead_letters_is_moved_back_by_a_form_that_says_first_what_it_would_do(
    scene: Scene, page: Page
) -> None:
    page.evaluate("location.hash = '/dlq'")
    page.locator("[data-code='no_provider']").get_by_role("button", name="redrive…").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Reason").fill("keys of openai are there again")
    form.get_by_role("button", name="look what it would move").click()
    expect(form).to_contain_text("Would move 4 of 4; nothing has been bought for any")
    assert scene.aws.received(scene.aws.queue_url) == []
    photograph(page, "redrive-desktop-light")
    form.get_by_role("button", name="redrive 4").click()
    expect(form).to_be_hidden()
    expect(page.get_by_role("status")).to_contain_text("4 moved; nothing has been bought")
    assert len(scene.aws.received(scene.aws.queue_url)) == 4
    page.evaluate("location.hash = '/audit'")
    expect(page.locator("tbody tr")).to_have_count(4)
    expect(page.locator("tbody tr").first).to_contain_text("keys of openai are there again")


def test_a_provider_is_forced_with_a_reason_and_an_end_and_its_effect_is_said_before(page: Page) -> None:
    page.evaluate("location.hash = '/providers/openai-tts'")
    page.get_by_role("button", name="override…").click()
    form = page.get_by_role("dialog")
    expect(form).to_contain_text("10 of tts are not down")
    button = form.get_by_role("button", name="force down")
    expect(button).to_be_disabled()
    form.get_by_label("Reason").fill("a drill")
    form.get_by_label("Until it ends by itself").select_option("15 minutes")
    button.click()
    expect(page.locator("main")).to_contain_text("forced down by ann: a drill")
    page.get_by_role("button", name="take back…").click()
    form.get_by_label("Reason").fill("it is over")
    form.get_by_role("button", name="take back").click()
    expect(page.locator("main")).not_to_contain_text("forced down by ann")
