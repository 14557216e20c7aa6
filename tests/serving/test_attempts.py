"""What is kept of the calls of a job, and what a later delivery knows by it."""

from __future__ import annotations

import pytest

from mediarelay.job_records.contract import AttemptSummary
from mediarelay.providers.api import Delivery, InlineMedia, MediaSource, RemoteMedia
from mediarelay.serving.attempts import ATTEMPTS_KEPT, _left, newest
from mediarelay.serving.failover import earlier_failures
from mediarelay.vocabulary.outcome import Outcome

ELSEWHERE, HERE = RemoteMedia("https://media.invalid/a.png"), InlineMedia(b"png")


def attempt(code: str, *, status: int | None = 503, cost_usd: float | None = None) -> AttemptSummary:
    return AttemptSummary(
        provider="openai-tts",
        key_id="0123456789ab",
        outcome=Outcome.OVERLOADED,
        latency_ms=1,
        status=status,
        code=code,
        cost_usd=cost_usd,
    )


@pytest.mark.parametrize("more", [0, 1, 7])
def test_the_newest_attempts_are_kept_and_of_the_older_ones_those_that_cost_something(more: int) -> None:
    older = [attempt(f"old-{number}", cost_usd=0.01 if number == 3 else None) for number in range(more)]
    recent = [attempt(f"new-{number}") for number in range(ATTEMPTS_KEPT)]
    kept = [each.code for each in newest([*older, *recent])]
    assert kept == [*(["old-3"] if more > 3 else []), *(each.code for each in recent)]


@pytest.mark.parametrize(("code", "certain"), [("http_503", False), ("overloaded", True), ("http_429", True)])
def test_a_later_delivery_knows_whether_the_vendor_named_the_failure_itself(code: str, *, certain: bool) -> None:
    ((provider, failure, key_id),) = earlier_failures([attempt(code)])
    assert (provider, key_id) == ("openai-tts", "0123456789ab")
    assert (failure.code, failure.status, failure.certain) == (code, 503, certain)


@pytest.mark.parametrize(
    ("media", "urls"), [((ELSEWHERE, ELSEWHERE), [ELSEWHERE.url] * 2), ((ELSEWHERE, HERE), None), ((HERE,), None)]
)
def test_only_what_lies_elsewhere_as_a_whole_can_be_fetched_again(
    media: tuple[MediaSource, ...], urls: list[str] | None
) -> None:
    left = _left(Delivery(media, "png", 0.01))
    assert (left and left.urls) == urls
