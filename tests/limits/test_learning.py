"""Whose limit a refusal tells of, and which refusals tell nothing."""

from __future__ import annotations

from mediarelay.limits.acquiring import Cut, CutMade, Look, Seen
from mediarelay.limits.gcra import LimitState
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.learning import TOGETHER_SECONDS, Refusal, learning
from mediarelay.limits.local_view import GROUP, Account, LimitsView
from mediarelay.vocabulary.limit import Limit
from tests.doubles.clock import EPOCH

POOL = [Account(name, ((f"key-of-{name}", 0.0),)) for name in ("acme", "bolt")]
PACED = LimitState(epoch=3, used=50, pace=LearnedRate(9.0, EPOCH - 8.0, 9.5, 10, EPOCH - 8.0), throttled_at=EPOCH - 8.0)


def cuts_of(refusal: Refusal, state: LimitState | None) -> list[Cut]:
    """What a worker writes after the refusal of a call that was made at EPOCH, when it finds this in the table."""
    view, cuts = LimitsView(workers=4), []
    talk = learning(refusal, POOL, view, now=EPOCH + 0.02)
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


TOLD = Limit(0.05, 1)


def learned(view: LimitsView, heard: Refusal, pool: list[Account], now: float, **states: LimitState) -> list[Cut]:
    """What is written down when the table holds these states, and what was written before."""
    cuts: list[Cut] = []
    talk = learning(heard, pool, view, now=now)
    reply: Seen | CutMade = Seen(now, states)
    try:
        next(talk)
        while True:
            step = talk.send(reply)
            assert isinstance(step, Cut)
            cuts.append(step)
            reply = CutMade(now, step.after)
    except StopIteration:
        return cuts


def told(owner: str = "acme", epoch: int | None = None, at: float = EPOCH) -> Refusal:
    return Refusal(owner, at, epoch, 9.0, TOLD)


def test_a_limit_that_a_refusal_names_is_the_pace_of_the_whole_fleet() -> None:
    for epoch, state in ((None, LimitState()), (3, PACED)):
        (cut,) = learned(LimitsView(workers=4), told(epoch=epoch), POOL, EPOCH, acme=state)
        assert cut.after.pace is not None
        assert (cut.after.pace.rate(EPOCH), cut.after.pace.ceiling) == (TOLD.rate, TOLD.rate)
        assert cut.after.tat >= EPOCH + 9.0


def test_a_limit_that_a_refusal_names_holds_for_a_while_and_is_tested_then() -> None:
    view = LimitsView(workers=4)
    learned(view, told(), POOL, EPOCH)
    assert view.declared(POOL[0], EPOCH + 599.0) == TOLD
    assert view.declared(POOL[0], EPOCH + 600.0) is None
    assert view.declared(POOL[1], EPOCH) is None


def test_what_an_operator_declared_outranks_it() -> None:
    view, pool = LimitsView(workers=4), [Account("acme", (("k", 0.0),), Limit(5.0))]
    (cut,) = learned(view, told(), pool, EPOCH)
    assert view.declared(pool[0], EPOCH) == Limit(5.0)
    assert cut.after.pace is not None
    limit = view.limit(pool[0], 1, EPOCH)
    assert limit is not None
    assert limit.rate == TOLD.rate  # the vendor refuses the rest


def test_accounts_that_all_hear_their_limits_at_once_are_no_group() -> None:
    """The calls were made before anybody knew of a limit, so nothing above it was met."""
    view, pool = LimitsView(workers=4), [Account(name, ((name, 0.0),)) for name in ("acme", "bolt", "cora", "dyne")]
    written: dict[str, LimitState] = {}
    for moment in (0.0, 0.1, 0.2):
        for account in pool:
            for cut in learned(view, told(account.name), pool, EPOCH + moment, **written):
                written[cut.name] = cut.after
    assert set(written) == {account.name for account in pool}


def test_accounts_that_kept_the_limits_they_were_told_are_a_group() -> None:
    view, pool = LimitsView(workers=4), [Account(name, ((name, 0.0),)) for name in ("acme", "bolt", "cora", "dyne")]
    for account in pool:
        view.hint(account.name, TOLD, EPOCH)
    now, written = EPOCH + TOGETHER_SECONDS + 1.0, {}
    for account in pool:
        heard = Refusal(account.name, now, None, 9.0, TOLD)
        for cut in learned(view, heard, pool, now, **written):
            written[cut.name] = cut.after
    assert GROUP in written
