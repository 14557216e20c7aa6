"""When it is midnight in California."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.providers.gemini.pacific import until_midnight

MOMENTS = st.integers(1_200_000_000, 4_000_000_000)  # since the rule of today holds, and for a hundred years


def unix(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("now", "midnight"),
    [
        ("2026-11-27T00:30:00", "2026-11-27T08:00:00"),
        ("2026-11-27T08:00:00", "2026-11-28T08:00:00"),
        ("2026-07-04T06:59:59", "2026-07-04T07:00:00"),
        # The clocks go forward on 14 March 2027: that day has 23 hours.
        ("2027-03-13T20:00:00", "2027-03-14T08:00:00"),
        ("2027-03-14T08:00:00", "2027-03-15T07:00:00"),
        # They go back on 1 November 2026: that day has 25.
        ("2026-10-31T20:00:00", "2026-11-01T07:00:00"),
        ("2026-11-01T07:00:00", "2026-11-02T08:00:00"),
        ("2026-12-31T20:00:00", "2027-01-01T08:00:00"),
    ],
)
def test_midnights(now, midnight):
    assert unix(now) + until_midnight(unix(now)) == unix(midnight)


@given(now=MOMENTS)
def test_it_is_a_day_at_most_and_the_same_midnight_from_a_second_before(now):
    left = until_midnight(now)
    assert 0 < left <= 25 * 3600
    midnight = now + left
    assert datetime.fromtimestamp(midnight, UTC).strftime("%H:%M:%S") in ("07:00:00", "08:00:00")
    assert until_midnight(midnight - 1) == 1
    assert 23 * 3600 <= until_midnight(midnight) <= 25 * 3600


@pytest.mark.parametrize("now", [-1.0, 1e18, float("inf"), float("nan")])
def test_what_no_calendar_has_is_a_day_away(now):
    assert until_midnight(now) == 86400.0
