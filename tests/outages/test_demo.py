"""`make demo`, as a newcomer runs it: an outage of half a minute is part of it."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.harness.key_watch import leaks
from tools.local.project import ROOT

pytestmark = pytest.mark.stack


def test_the_demo_ends_well_and_shows_no_piece_of_a_key() -> None:
    command = ["make", "demo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "ended as intended" in done.stdout
    page = (ROOT / "build" / "demo" / "index.html").read_text("utf-8")
    assert "openai-tts was taken down" in page
    shown = set(re.findall(r'<(?:audio|video|img)[^>]* src="([^"]+)"', page))
    assert len(shown) > 20
    assert [name for name in shown if not (ROOT / "build" / "demo" / name).is_file()] == []
    assert leaks(done.stdout + done.stderr + page) == set()
