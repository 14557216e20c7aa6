"""Whose limit a refusal tells of, and which refusals tell nothing."""

from __future__ import annotations

from mediarelay.core.lease import LeaseState
from mediarelay.core.lease_book import Account, LeaseBook
from mediarelay.core.lease_learning import Refusal, learning
from mediarelay.core.lease_steps import Cut, CutMade, Look, Seen
from mediarelay.core.pace import Pace
from tests.support.clock import EPOCH

POOL = [Account(name, ((f"key-of-{name}", 0.0),)) for name in ("acme", "bolt")]
PACED = LeaseState(epoch=3, used=50, pace=Pace(9.0, EPOCH - 8.0, 9.5, 10, EPOCH - 8.0), throttled_at=EPOCH - 8.0)


def cuts_of(refusal: Refusal, state: LeaseState | None) -> list[Cut]:
    """What a worker writes after the refusal of a call that was made at EPOCH, when it finds this in the table."""
    book, cuts = LeaseBook(workers=4), []
    talk = learning(refusal, POOL, book, now=EPOCH + 0.02)
    step = next(talk)
    assert isinstance(step, Look)
    reply: Seen | CutMade = Seen(EPOCH + 0.02, {"acme": state} if state else {})
    try:
        while True:
            step = talk.send(reply)
            assert isinstance(step, Cut)
            cuts.append(step)
            reply = CutMade(EPOCH + 0.03, step.after)
    except StopIteration:
        return cuts


def refusal(epoch: int | None) -> Refusal:
    return Refusal("acme", EPOCH, epoch, None)


def test_the_first_refusal_sets_a_pace() -> None:
    (cut,) = cuts_of(refusal(None), None)
    assert cut.name == "acme"
    assert cut.after.pace is not None


def test_a_call_made_before_its_worker_knew_of_the_pace_says_nothing_of_it() -> None:
    assert cuts_of(refusal(None), PACED) == []


def test_a_call_at_the_pace_that_holds_cuts_it() -> None:
    (cut,) = cuts_of(refusal(3), PACED)
    assert cut.after.epoch == 4
    assert cut.after.pace is not None
    assert cut.after.pace.rate(EPOCH) < 9.0


def test_a_call_at_an_earlier_pace_says_nothing_of_the_one_that_holds() -> None:
    assert cuts_of(refusal(2), PACED) == []
