from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mediarelay.health.incident import Event, Incident, Notice
from mediarelay.health.judgement import Status

T0 = 1_780_000_000.0
UP, POOR, DOWN, IDLE = Status.HEALTHY, Status.DEGRADED, Status.DOWN, Status.IDLE


def told(*steps: tuple[float, Status], start: Incident | None = None) -> list[Notice]:
    """The messages of a sequence of judgements, each message once."""
    incident, notices = start or Incident(), []
    for at, status in steps:
        after = incident.next("openai-tts", status, now=T0 + at)
        if after.notice is not None and after.notice != incident.notice:
            notices.append(after.notice)
        incident = after
    return notices


def events(*steps: tuple[float, Status]) -> list[str]:
    return [notice.event for notice in told(*steps)]


def test_an_outage_is_opened_once_and_resolved_once() -> None:
    steps = [(0, UP), (10, DOWN), (11, DOWN), (40, DOWN), (99, UP), (100, UP)]
    opened, resolved = told(*steps)
    assert (opened.event, opened.status, opened.previous, opened.at) == (Event.OPENED, DOWN, UP, T0 + 10)
    assert (resolved.event, resolved.status, resolved.previous) == (Event.RESOLVED, UP, DOWN)
    assert opened.incident_id == resolved.incident_id == f"openai-tts@{round((T0 + 10) * 1000)}"
    assert (opened.number, resolved.number) == (1, 2)


def test_an_incident_that_gets_worse_or_better_is_one_incident() -> None:
    assert events((0, POOR), (9, DOWN), (20, POOR), (30, UP)) == ["opened", "changed", "changed", "resolved"]


def test_idle_is_no_news_and_ends_what_was_open() -> None:
    assert events((0, IDLE), (9, UP), (20, IDLE)) == []
    assert events((0, POOR), (400, IDLE)) == ["opened", "resolved"]


def test_outages_ten_minutes_apart_are_all_told() -> None:
    steps = [step for n in range(20) for step in ((n * 660.0, DOWN), (n * 660.0 + 60, UP))]
    assert events(*steps) == ["opened", "resolved"] * 20


def flaps(count: int, period: float) -> list[tuple[float, Status]]:
    return [step for n in range(count) for step in ((n * period, DOWN), (n * period + period / 2, UP))]


def test_the_fourth_opening_in_half_an_hour_is_flapping_and_then_single_changes_are_quiet() -> None:
    assert events(*flaps(8, 120)) == [*["opened", "resolved"] * 3, "flapping"]


def test_flapping_ends_with_one_message_once_it_keeps_still() -> None:
    quiet = [(8 * 120 + 60 * n, UP) for n in range(40)]
    *_, last = told(*flaps(8, 120), *quiet)
    assert (last.event, last.suppressed, last.status) == (Event.RESOLVED, 9, UP)
    still_down = [(8 * 120 + 60 * n, DOWN) for n in range(40)]
    *_, last = told(*flaps(8, 120), *still_down)
    assert (last.event, last.status) == (Event.CHANGED, DOWN)


def test_after_flapping_a_new_outage_is_told_again() -> None:
    quiet = [(8 * 120 + 60 * n, UP) for n in range(40)]
    assert events(*flaps(8, 120), *quiet, (5000, DOWN), (5100, UP))[-2:] == ["opened", "resolved"]


def test_an_opening_of_half_an_hour_ago_counts_no_longer() -> None:
    three = [(0, DOWN), (60, UP), (600, DOWN), (660, UP), (1200, DOWN), (1260, UP)]
    assert events(*three, (1799, DOWN))[-1] == "flapping"
    assert events(*three, (1800, DOWN))[-1] == "opened"


def test_flapping_is_over_when_it_has_kept_still_for_half_an_hour_and_not_before() -> None:
    flapping, down_since = flaps(3, 120), 360
    assert events(*flapping, (down_since, DOWN), (down_since + 1799, DOWN))[-1] == "flapping"
    assert events(*flapping, (down_since, DOWN), (down_since + 1800, DOWN))[-1] == "changed"


def test_digests_come_after_one_hour_then_two_then_four_then_six_each() -> None:
    began, hours = 360, 3600
    minutes = [(began + 60.0 * n, UP if n % 2 else DOWN) for n in range(25 * 60)]
    digests = [notice for notice in told(*flaps(3, 120), *minutes) if notice.event is Event.DIGEST]
    after = [(notice.at - T0 - began) / hours for notice in digests]
    assert after == [1.0, 3.0, 7.0, 13.0, 19.0]
    assert [notice.suppressed for notice in digests] == [60, 120, 240, 360, 360]


@given(period=st.floats(2, 590))
def test_two_hundred_flaps_are_at_most_twenty_messages(period: float) -> None:
    assert len(told(*flaps(200, period))) <= 20


@given(st.lists(st.tuples(st.floats(0.1, 2000), st.sampled_from(list(Status))), max_size=60))
def test_messages_are_numbered_without_gaps_and_opened_never_follows_opened(
    steps: list[tuple[float, Status]],
) -> None:
    moment, timed = 0.0, []
    for pause, status in steps:
        moment += pause
        timed.append((moment, status))
    notices = told(*timed)
    assert [notice.number for notice in notices] == list(range(1, len(notices) + 1))
    for earlier, later in pairwise(notices):
        opening = later.event in (Event.OPENED, Event.FLAPPING)
        assert opening is (earlier.event is Event.RESOLVED)
        assert (earlier.incident_id == later.incident_id) is not opening
