from __future__ import annotations

from mediarelay_client.desk import Desk, Waiting
from mediarelay_client.models import ResultEvent


def ended(provider: str) -> ResultEvent:
    return ResultEvent.model_construct(
        event_id=f"r-1#{provider}:1",
        job_id=f"r-1#{provider}",
        request_id="r-1",
        tenant=None,
        message_id=None,
        status="succeeded",
    )


def test_the_end_of_all_branches_is_told_once_though_they_are_learned_again() -> None:
    """The records are looked at while the last event comes."""
    desk = Desk()
    waiting = desk.open(Waiting("r-1", None))
    desk.deliver(ended("a"))
    desk.expect(waiting, ["a", "b"])
    assert not waiting.outcome.done()
    desk.deliver(ended("b"))
    desk.expect(waiting, ["a", "b"])
    assert [event.job_id for event in waiting.outcome.result(timeout=0)] == ["r-1#a", "r-1#b"]


def test_a_handle_waits_for_every_branch_though_it_learns_of_them_last() -> None:
    desk = Desk()
    waiting = desk.open(Waiting("r-1", None))
    desk.deliver(ended("a"))
    desk.deliver(ended("b"))
    assert not waiting.outcome.done()
    desk.expect(waiting, ["a", "b"])
    assert [event.job_id for event in waiting.outcome.result(timeout=0)] == ["r-1#a", "r-1#b"]
