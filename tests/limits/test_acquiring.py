"""Which permits a batch asks for."""

from __future__ import annotations

import pytest

from mediarelay.limits.acquiring import Look, PermitRequest, Purpose, Seen, Take, acquiring
from mediarelay.limits.fairness import Line
from mediarelay.limits.gcra import LimitState
from mediarelay.limits.local_view import Account, LimitsView
from mediarelay.vocabulary.limit import Limit
from tests.builders.dice import dice
from tests.doubles.clock import EPOCH

ACCOUNT = Account("acme", (("k1", 0.0),), Limit(10.0, 20))
# Half a minute is queued, and the lane is full.
QUEUED = LimitState(tat=EPOCH + 30.0, newcomer_tat=EPOCH)


@pytest.mark.parametrize(
    ("for_requeue", "lines"), [(False, {Line.SURPLUS: 2, Line.TAIL: 1}), (True, {Line.TAIL: 3})], ids=["here", "away"]
)
def test_a_permit_for_now_does_not_go_round_with_its_message(lines: dict[Line, int], *, for_requeue: bool) -> None:
    asked: dict[Line, int] = {}
    purpose = Purpose("openai-tts", EPOCH + 600.0, for_requeue=for_requeue)
    talk = acquiring(
        [PermitRequest()] * 3,
        [ACCOUNT, Account("other", (("k2", 0.0),), Limit(10.0, 20))],
        LimitsView(workers=4),
        purpose,
        now=EPOCH,
        rng=dice(1),
    )
    assert isinstance(next(talk), Look)
    step = talk.send(Seen(EPOCH, {"acme": QUEUED, "other": LimitState(tat=EPOCH + 30.0, newcomer_tat=EPOCH + 15.0)}))
    assert isinstance(step, Take)
    for ask in step.asks:
        asked[ask.line] = asked.get(ask.line, 0) + ask.count
    assert asked == lines
