import pytest

from tools.localaws.fixes.streams.stream_progress import (
    FIRST_RETRY_SECONDS,
    LONGEST_RETRY_SECONDS,
    Progress,
    RetryPolicy,
    Step,
)


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        ({}, RetryPolicy(-1, -1, bisect=False)),
        ({"MaximumRetryAttempts": 0, "MaximumRecordAgeInSeconds": 60}, RetryPolicy(0, 60, bisect=False)),
        ({"MaximumRetryAttempts": "3", "BisectBatchOnFunctionError": "true"}, RetryPolicy(3, -1, bisect=True)),
        ({"BisectBatchOnFunctionError": False}, RetryPolicy(-1, -1, bisect=False)),
    ],
)
def test_settings_are_read_whether_they_came_by_api_or_by_template(settings, policy):
    assert RetryPolicy.of(settings) == policy


def test_success_goes_on_behind_the_batch():
    assert Progress().succeeded(7) == Step(7)


def test_a_retry_takes_no_more_records_than_its_batch_had():
    progress = Progress()
    progress.failed(0, 3, 0, RetryPolicy())
    assert progress.limit(0, 100) == 3
    progress.succeeded(3)
    assert progress.limit(3, 100) == 100


def test_a_reported_failure_becomes_the_checkpoint_and_counts_anew():
    progress = Progress()
    policy = RetryPolicy(attempts=1)
    progress.failed(0, 5, 0, policy)
    assert progress.failed(0, 5, 2, policy).position == 2
    assert progress.failures == 1
    assert progress.limit(2, 100) == 3


def test_attempts_are_the_first_one_and_its_retries():
    progress = Progress()
    policy = RetryPolicy(attempts=2)
    steps = [progress.failed(4, 6, 4, policy) for _ in range(3)]
    assert [step.given_up for step in steps] == [None, None, 6]
    assert progress.failures == 3


def test_without_a_limit_it_never_gives_up_and_waits_longer_each_time():
    progress = Progress()
    waits = [progress.failed(0, 1, 0, RetryPolicy()).retry_in for _ in range(40)]
    assert waits[0] == FIRST_RETRY_SECONDS
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_RETRY_SECONDS


def play(bad: int, end: int, policy: RetryPolicy) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Run a batch whose record `bad` always fails; the batches tried, and those given up."""
    progress = Progress()
    position, tried, lost = 0, [], []
    while position < end:
        stop = position + progress.limit(position, end - position)
        tried.append((position, stop))
        if not position <= bad < stop:
            position = progress.succeeded(stop).position
            continue
        step = progress.failed(position, stop, position, policy)
        if step.given_up is not None:
            lost.append((step.position, step.given_up))
            step = progress.succeeded(step.given_up)
        position = step.position
    return tried, lost


def test_splitting_isolates_the_bad_record_and_spends_no_retry():
    tried, lost = play(bad=5, end=8, policy=RetryPolicy(attempts=1, bisect=True))
    assert tried == [(0, 8), (0, 4), (4, 8), (4, 6), (4, 5), (5, 6), (5, 6), (6, 8)]
    assert lost == [(5, 6)]


@pytest.mark.parametrize("bad", range(7))
def test_splitting_loses_only_the_bad_record(bad):
    assert play(bad, end=7, policy=RetryPolicy(attempts=0, bisect=True))[1] == [(bad, bad + 1)]
