"""What a batch gets, and from whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mediarelay.limits.acquiring import (
    Look,
    Permit,
    PermitOrNot,
    PermitRequest,
    Purpose,
    Seen,
    TableAnswers,
    Take,
    acquiring,
)
from mediarelay.limits.fairness import tenant_bucket
from mediarelay.limits.gcra import Granted, LimitState, acquire
from mediarelay.limits.local_view import Account, LimitsView
from mediarelay.vocabulary.limit import Limit
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH

LIMIT = Limit(10.0, 20)
ACME, OTHER = Account("acme", (("k1", 0.0),), LIMIT), Account("other", (("k2", 0.0),), LIMIT)


def verdicts(
    permit_requests: Sequence[PermitRequest], accounts: Sequence[Account], states: dict[str, LimitState]
) -> list[PermitOrNot]:
    """The end of a conversation with a table that holds these states."""
    talk = acquiring(
        permit_requests, accounts, LimitsView(workers=4), Purpose("openai-tts", EPOCH), now=EPOCH, rng=dice()
    )
    step = next(talk)
    while True:
        match step:
            case Look():
                reply: Seen | TableAnswers = Seen(EPOCH, dict(states))
            case Take(asks=asks):
                answers = tuple(acquire(states.get(ask.owner, LimitState()), ask) for ask in asks)
                states |= {answer.ask.owner: answer.state for answer in answers if isinstance(answer, Granted)}
                reply = TableAnswers(EPOCH, answers)
            case _:
                raise AssertionError(step)
        try:
            step = talk.send(reply)
        except StopIteration as stop:
            found: list[PermitOrNot] = stop.value
            return found


def test_a_tenant_with_nothing_in_the_queue_is_served_before_one_that_has() -> None:
    flood, quiet = tenant_bucket("flood"), tenant_bucket("quiet")
    assert flood != quiet
    queued = LimitState(tat=EPOCH + 30.0, newcomer_tat=EPOCH, queued={flood: EPOCH + 30.0})
    first, second = verdicts([PermitRequest(flood), PermitRequest(quiet)], [ACME], {"acme": queued})
    assert (isinstance(first, Permit), isinstance(second, Permit)) == (False, True)


def test_a_batch_that_can_go_at_once_takes_from_more_than_one_owner() -> None:
    """The bucket of an owner that is left out stands full, and loses what it gains."""
    given = verdicts([PermitRequest()] * 10, [ACME, OTHER], {})
    permits = [each for each in given if isinstance(each, Permit)]
    assert Counter(permit.owner for permit in permits) == {"acme": 5, "other": 5}
    assert {permit.start for permit in permits} == {EPOCH}
