"""Whose limit a refusal tells of, and which refusals tell nothing."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.limits.acquiring import Cut, CutMade, Look, Note, Seen
from mediarelay.limits.gcra import REST, LimitState
from mediarelay.limits.learned_rate import LearnedRate, watching
from mediarelay.limits.learning import Refusal, learning
from mediarelay.limits.local_view import GROUP, Account, LimitsView
from mediarelay.vocabulary.limit import Limit
from tests.doubles.clock import EPOCH

POOL = [Account(name, ((f"key-of-{name}", 0.0),)) for name in ("acme", "bolt")]
PACED = LimitState(
    epoch=3,
    used=50,
    refused=2,
    pace=LearnedRate(9.0, EPOCH - 16.0, 9.5, 10, EPOCH - 16.0, 3),
    throttled_at=EPOCH - 16.0,
)


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
            if isinstance(step, Cut):
                cuts.append(step)
            reply = CutMade(EPOCH + 0.03, step.after if isinstance(step, Cut) else None)
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


def test_a_call_at_a_pace_that_is_tested_ends_the_test() -> None:
    (cut,) = cuts_of(refusal(3), PACED)
    assert cut.after.epoch == 4
    assert cut.after.pace is not None
    assert PACED.pace is not None
    assert cut.after.pace.rate(EPOCH) < PACED.pace.rate(EPOCH)


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
            if isinstance(step, Cut):
                cuts.append(step)
            reply = CutMade(now, step.after if isinstance(step, Cut) else None)
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


class Fleet:
    """Accounts with buckets of their own, or one for all, called as fast as their limits allow by one worker."""

    def __init__(self, declared: Limit, buckets: list[float], *, shared: bool = False, chance: float = 0.0) -> None:
        self.view, self.states = LimitsView(workers=1), dict[str, LimitState]()
        names = [f"account-{number}" for number in range(5)]
        self.pool = [Account(name, ((name, 0.0),), declared) for name in names]
        self._rates = dict.fromkeys(["all"], buckets[0]) if shared else dict(zip(names, buckets, strict=True))
        self._levels = dict.fromkeys(self._rates, (20.0, EPOCH))
        self._shared, self._chance, self._dice = shared, chance, Random(1)
        self.served: list[float] = []
        self.refused: list[float] = []

    def run(self, seconds: float) -> None:
        """Each account is called whenever it may be."""
        now, due = EPOCH, {account.name: EPOCH for account in self.pool}
        while now < EPOCH + seconds:
            account = min(self.pool, key=lambda each: due[each.name])
            now, limit = due[account.name], self.view.limit(account, len(self.pool), due[account.name])
            assert limit is not None
            state = self.states.get(account.name, LimitState())
            pace = state.pace.rebased(now, state.used) if state.pace and state.pace.below(10.0) else None
            self.states[account.name] = replace(state, used=state.used + 1, pace=pace or state.pace)
            self.view.replaced(account.name, self.states[account.name])
            due[account.name] = now + limit.interval
            if self._takes(account.name, now):
                self.served.append(now)
            else:
                self.refused.append(now)
                self._learn(Refusal(account.name, now, state.epoch, None), now)
                due[account.name] = max(due[account.name], self.states[account.name].tat)

    def _takes(self, name: str, now: float) -> bool:
        bucket = "all" if self._shared else name
        level, at = self._levels[bucket]
        level = min(20.0, level + (now - at) * self._rates[bucket])
        taken = level >= 1.0
        self._levels[bucket] = (level - taken, now)
        return taken and self._dice.random() >= self._chance

    def _learn(self, refusal: Refusal, now: float) -> None:
        talk = learning(refusal, self.pool, self.view, now=now)
        try:
            next(talk)
            reply: Seen | CutMade = Seen(now, self.states)
            while True:
                step = talk.send(reply)
                assert isinstance(step, Cut | Note)
                before = self.states.get(step.name, LimitState())
                if isinstance(step, Cut):
                    self.states[step.name] = replace(step.after, used=before.used)
                else:
                    self.states[step.name] = replace(before, refused=before.refused + 1, pace=step.pace or before.pace)
                reply = CutMade(now, self.states[step.name])
        except StopIteration:
            return

    def rate(self, last: float) -> float:
        """Served a second in so many last seconds."""
        end = max(self.served)
        return sum(at > end - last for at in self.served) / last

    def waste(self, last: float) -> float:
        """The part of the calls of the last seconds that was refused."""
        end = max(self.served)
        refused = sum(at > end - last for at in self.refused)
        return refused / (refused + self.rate(last) * last)


def test_each_account_has_the_limit_that_it_really_has() -> None:
    fleet = Fleet(Limit(10.0, 10), [3.0, 5.0, 8.0, 10.0, 20.0])
    fleet.run(180.0)
    assert fleet.rate(120.0) == pytest.approx(36.0, rel=0.05)
    assert fleet.waste(120.0) <= 0.015
    assert GROUP not in fleet.states


def test_one_account_with_a_limit_of_its_own_holds_nobody_down_who_is_refused_now_and_then() -> None:
    fleet = Fleet(Limit(10.0, 20), [2.0, 10.0, 10.0, 10.0, 10.0], chance=0.003)
    fleet.run(180.0)
    assert fleet.rate(120.0) >= 0.95 * 42.0


def test_keys_that_are_secretly_one_account_are_found_out() -> None:
    fleet = Fleet(Limit(10.0, 10), [10.0], shared=True)
    fleet.run(180.0)
    assert GROUP in fleet.states
    assert fleet.rate(120.0) == pytest.approx(10.0, rel=0.06)
    assert fleet.waste(120.0) <= 0.04


def test_refusals_at_random_are_no_group_and_cost_no_rate() -> None:
    fleet = Fleet(Limit(10.0, 10), [20.0] * 5, chance=0.05)
    fleet.run(180.0)
    assert fleet.rate(120.0) >= 0.95 * 47.5


TEN = Limit(10.0, 10)
CUT = LearnedRate(4.7, EPOCH - 30.0, 5.0, 100, EPOCH - 30.0, 5)


@pytest.mark.parametrize(
    ("own", "others", "rate"),
    [
        (None, [CUT, CUT, CUT], 5.0),
        (watching(10.0, EPOCH - 9.0, 90, 1), [CUT, CUT], 5.0),
        (None, [replace(CUT, ceiling=4.0), CUT, replace(CUT, ceiling=5.2)], 5.0),
        (None, [CUT, watching(10.0, EPOCH - 9.0, 90, 1), watching(10.0, EPOCH - 9.0, 90, 1)], 10.0),
        (watching(10.0, EPOCH - 9.0, 95, 1), [CUT, watching(10.0, EPOCH - 9.0, 90, 1)], 5.0),
        (watching(10.0, EPOCH - 9.0, 50, 1), [CUT, watching(10.0, EPOCH - 9.0, 90, 1)], 10.0),
        (None, [replace(CUT, before=10.0, since=EPOCH - 3.0)], 10.0),
        (None, [replace(CUT, noise=0.05)], 10.0),
        (None, [watching(10.0, EPOCH - 9.0, 90, 1)], 10.0),
        (replace(watching(10.0, EPOCH - 9.0, 90, 1), noise=0.05), [CUT, CUT], 10.0),
        (LearnedRate(8.0, EPOCH - 9.0, 8.0, 90, EPOCH - 9.0, 1), [CUT, CUT], 8.0),
    ],
    ids=[
        "first",
        "second",
        "median",
        "of few",
        "of few, soon",
        "of few, late",
        "on trial",
        "chance",
        "as declared",
        "chance of its own",
        "measured",
    ],
)
def test_who_is_refused_has_the_limit_that_was_found_for_its_fellows(
    own: LearnedRate | None, others: list[LearnedRate], rate: float
) -> None:
    names = ["acme", *(f"other-{number}" for number in range(len(others)))]
    pool = [Account(name, ((name, 0.0),), TEN) for name in names]
    states = {name: LimitState(used=200, refused=5, pace=pace) for name, pace in zip(names[1:], others, strict=True)}
    states["acme"] = LimitState(used=100, refused=1 if own else 0, pace=own)
    view = LimitsView(workers=4)
    cuts = learned(view, Refusal("acme", EPOCH, 0, 0.2), pool, EPOCH, **states)
    limit = view.limit(pool[0], len(pool), (cuts[0].after.pace or CUT).since + 5.0 if cuts else EPOCH)
    assert limit is not None
    assert limit.rate == pytest.approx(rate, rel=0.01)


def test_at_its_third_refusal_an_account_tries_what_is_on_trial_for_its_fellows_and_may_still_undo_it() -> None:
    pool = [Account(name, ((name, 0.0),), TEN) for name in ("acme", "bolt")]
    on_trial = replace(CUT, before=10.0, loss=0.3, since=EPOCH - 3.0)
    states = {
        "acme": LimitState(used=100, refused=2, pace=watching(10.0, EPOCH - 2.0, 90, 1)),
        "bolt": LimitState(used=200, refused=5, pace=on_trial),
    }
    (cut_,) = learned(LimitsView(workers=4), Refusal("acme", EPOCH, 0, 0.2), pool, EPOCH, **states)
    assert cut_.after.pace is not None
    assert (cut_.after.pace.ceiling, cut_.after.pace.before) == (5.0, 10.0)
    assert cut_.after.pace.on_trial(EPOCH + 5.0)


def test_what_one_account_was_found_to_be_refused_by_chance_is_allowed_to_its_fellows() -> None:
    pool = [Account(name, ((name, 0.0),), TEN) for name in ("acme", "bolt", "cora")]
    of_acme = LearnedRate(7.5, EPOCH - 3.0, 8.0, 80, EPOCH - 3.0, 1, before=10.0, loss=0.1)
    noisy = replace(watching(10.0, EPOCH - 9.0, 90, 1), noise=0.05)
    states = {
        "acme": LimitState(used=100, refused=2, pace=of_acme),
        "bolt": LimitState(used=200, refused=5, pace=noisy),
        "cora": LimitState(used=200, refused=5, pace=CUT),
    }
    talk = learning(Refusal("acme", EPOCH, 0, 0.2), pool, LimitsView(workers=4), now=EPOCH)
    next(talk)
    note = talk.send(Seen(EPOCH, states))
    assert isinstance(note, Note)
    assert note.pace is not None
    assert (note.pace.rate(EPOCH), note.pace.before) == (10.0, None)


@pytest.mark.parametrize(
    ("other", "declared", "found"),
    [
        (replace(CUT, ceiling=6.0, since=EPOCH - 5.0), TEN, 6.0),
        (replace(CUT, ceiling=6.0, since=EPOCH - 50.0), TEN, 0.0),  # before its own
        (replace(CUT, ceiling=6.0, since=EPOCH - 5.0, before=10.0, loss=0.3), TEN, 0.0),  # on trial
        (replace(CUT, ceiling=6.0, since=EPOCH - 5.0, noise=0.05), TEN, 0.0),
        (replace(CUT, ceiling=6.0, since=EPOCH - 5.0), Limit(20.0, 10), 0.0),
    ],
)
def test_a_higher_limit_that_is_found_later_is_its_fellows_as_well(
    other: LearnedRate, declared: Limit, found: float
) -> None:
    view, pool = LimitsView(workers=4), [Account("acme", (("k", 0.0),), TEN), Account("bolt", (("b", 0.0),), declared)]
    view.replaced("acme", LimitState(pace=CUT))
    view.replaced("bolt", LimitState(pace=other))
    assert view.found_later(pool[0], pool, EPOCH) == found
    raised = CUT.raised(EPOCH, 300, found)
    assert (raised and raised.rate(EPOCH + 3.0)) == (found or None)


def test_what_was_found_for_accounts_with_another_declaration_says_nothing() -> None:
    pool = [Account("acme", (("k", 0.0),), TEN), Account("bolt", (("b", 0.0),), Limit(20.0, 10))]
    states = {"acme": LimitState(used=100), "bolt": LimitState(used=200, refused=5, pace=CUT)}
    assert learned(LimitsView(workers=4), Refusal("acme", EPOCH, 0, 0.2), pool, EPOCH, **states) == []


def test_an_account_rests_for_all_workers_from_its_second_refusal_on_the_longer_the_oftener() -> None:
    pool, rests, pace = [Account("acme", (("k", 0.0),), TEN)], list[float | None](), None
    for number in range(3):
        view = LimitsView(workers=4)
        talk = learning(Refusal("acme", EPOCH + number, 0, 0.1), pool, view, now=EPOCH + number)
        next(talk)
        note = talk.send(Seen(EPOCH + number, {"acme": LimitState(used=5 * number, refused=number, pace=pace)}))
        if isinstance(note, Note):
            rests.append(note.rests_until and round(note.rests_until - EPOCH - number, 2))
            pace = note.pace or pace
    assert rests[:2] == [None, pytest.approx(0.4, abs=0.02)]


HEARD = st.tuples(st.floats(0.0, 30.0), st.floats(0.0, 60.0), st.integers(0, 40), st.integers(0, 3), st.integers(1, 4))


@given(
    st.lists(HEARD, min_size=1, max_size=25),
    st.lists(st.sampled_from([None, Limit(10.0, 20), Limit(0.1), Limit(50.0, 1)]), min_size=1, max_size=4),
)
def test_no_sequence_of_refusals_locks_an_account_out(
    history: list[tuple[float, float, int, int, int]], declared: list[Limit | None]
) -> None:
    """No longer than the vendor's own word and ten seconds, whatever was refused and used before, of whichever account,
    and whichever came and went meanwhile.
    """
    view, states, now = LimitsView(workers=4), dict[str, LimitState](), EPOCH
    whole = [Account(f"account-{number}", ((f"k{number}", 0.0),), each) for number, each in enumerate(declared)]
    for pause, wait, used, which, there in history:
        now += pause
        pool = whole[:there]
        account = pool[which % len(pool)]
        name = account.name
        own = states.get(name, LimitState())
        own = replace(own, used=own.used + used, tat=max(own.tat, now + min(30.0, used / 5.0)))
        states[name] = own
        talk = learning(Refusal(name, now, own.epoch if own.pace else None, wait), pool, view, now=now)
        reply: Seen | CutMade = Seen(now, dict(states))
        cuts = set[str]()
        try:
            next(talk)
            while True:
                step = talk.send(reply)
                assert isinstance(step, Cut | Note)
                before = states.get(step.name, LimitState())
                if isinstance(step, Cut):
                    states[step.name] = replace(step.after, used=before.used)
                    cuts.add(step.name)
                else:
                    rests = {} if step.rests_until is None else {REST: step.rests_until}
                    after = replace(before, refused=before.refused + 1, pace=step.pace or before.pace, blocks=rests)
                    states[step.name] = after
                reply = CutMade(now, states[step.name])
        except StopIteration as stop:
            rest = stop.value
        assert rest <= wait + 10.0
        for each in pool:
            state, limit = states.get(each.name, LimitState()), view.limit(each, len(pool), now)
            assert each.name != name or state.blocked_until(each.key_ids[0][0]) <= now + wait + 10.0
            if each.name in cuts and limit is not None:
                assert state.starts(limit, 1, now)[0] <= now + wait + 10.0
