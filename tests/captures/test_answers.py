"""Answers that vendors really gave come to what they must. What they were seen in is in the id of each test."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.builders.captures import RECORDED
from tools.captures.capture import Capture
from tools.captures.reading import Verdict, read


def known_as(capture: Capture) -> str:
    provenance = capture.provenance.replace(" ", "_")
    return f"{capture.id}-{capture.provider}-{capture.function}-{provenance}-{capture.seen}"


@pytest.mark.parametrize("capture", RECORDED, ids=known_as)
def test_a_real_answer_is_read_as_what_it_is(capture: Capture, record_property: Callable[[str, object], None]) -> None:
    reading = read(capture)
    if reading.verdict is Verdict.WAITING:
        record_property("waiting_for", capture.provider)
    assert reading.verdict is not Verdict.NO, f"expected {' or '.join(capture.expected)}, got {reading.got}"


def test_every_id_stands_once() -> None:
    names = [capture.id for capture in RECORDED]
    assert len(names) == len(set(names)) > 100
