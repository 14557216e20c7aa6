"""Headless Chromium, which Debian packages as `chromium`, and what examines a page in it."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PATIENCE_MS = 15_000  # ends a hang
SIZES = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
SHOTS = Path(__file__).parents[3] / "build" / "console"
AXE = Path(__file__).parent / "vendor" / "axe.min.js.gz"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
# A white point, for the files of the bucket, which moto serves to nobody else.
FILES = re.compile(r"https://results-bucket\.")
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a49444154789c63f80f00010101005a4d6ff10000000049454e44ae426082"
)
GRAVE = {"serious", "critical"}


@contextmanager
def chromium() -> Iterator[Browser]:
    # Inside a container there are no user namespaces for Chromium's sandbox; the page is our own.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, size: str = "desktop", scheme: Any = "light") -> Iterator[Page]:
    """An empty page."""
    context = browser.new_context(color_scheme=scheme, viewport=SIZES[size])  # type: ignore[arg-type]  # plain dicts
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield page
    context.close()


def complaints(page: Page) -> list[str]:
    """What goes wrong in it from now on."""
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if _is_error(message) else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    return wrong


def grave_faults(page: Page) -> Sequence[str]:
    """What axe-core finds, of the serious and the critical."""
    page.evaluate(_axe())
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


def photograph(page: Page, name: str) -> None:
    """For people to look at; wide content must scroll in its own frame, never the page."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


@cache
def _axe() -> str:
    text = gzip.decompress(AXE.read_bytes())
    assert hashlib.sha256(text).hexdigest() == AXE_SHA256
    return text.decode()


def _is_error(message: ConsoleMessage) -> bool:
    # Containers that other tests start and stop change the host's network interfaces; Chromium then breaks off what is
    # under way, even on loopback. The page asks again by itself, which is what a test goes on to see.
    return message.type in ("error", "warning") and "net::ERR_NETWORK_CHANGED" not in message.text
