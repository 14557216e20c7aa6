"""Names of executions: accepted by Step Functions, and no two jobs under one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from mediarelay.long_jobs.start import names
from mediarelay.request.model import REQUEST_ID

GOOD = re.compile(r"[A-Za-z0-9._@-]{1,80}")
IDS = st.from_regex(REQUEST_ID, fullmatch=True).map(str.strip)
JOBS = st.one_of(IDS, st.builds("{}#{}".format, IDS, st.sampled_from(["kling-video", "fal-stable-audio", "x" * 40])))


def test_a_jobs_execution_goes_by_its_id() -> None:
    assert names("order-17.b", 1_793_440_000_000)[0] == "order-17.b"
    assert names("order-17#fal-kling", 1_793_440_000_000)[0] == "order-17@fal-kling"


@given(JOBS, st.integers(0, 10**13))
def test_every_name_is_one_that_step_functions_takes(job_id: str, opened_at: int) -> None:
    first, second = names(job_id, opened_at)
    assert first != second
    assert all(GOOD.fullmatch(name) and len(name) <= 80 for name in (first, second))


@given(JOBS, JOBS, st.integers(0, 10**13))
def test_no_two_jobs_share_a_name(one: str, other: str, opened_at: int) -> None:
    shared = set(names(one, opened_at)) & set(names(other, opened_at))
    assert not shared or one == other
