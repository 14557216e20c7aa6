"""What the record of a submit allows: never a second one while the first may be out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.long_jobs.submit.resumption import (
    LOOKUPS,
    Ambiguous,
    AwaitSender,
    Known,
    LookUp,
    PollAccepted,
    Send,
    resume,
)
from mediarelay.vocabulary.kinds import SubmitState

NOW = 1000.0
UNKNOWN = SubmitState.SENT_UNKNOWN

KNOWN = st.builds(
    Known,
    state=st.sampled_from(SubmitState),
    lease_until=st.floats(0, 2000),
    can_look_up=st.booleans(),
    absences=st.integers(0, 4),
)


@pytest.mark.parametrize(
    ("known", "answer"),
    [
        (None, Send()),
        (Known(SubmitState.NOT_SENT, NOW + 60, can_look_up=True), Send()),
        (Known(SubmitState.ACCEPTED, NOW + 60, can_look_up=False), PollAccepted()),
        (Known(UNKNOWN, NOW + 60, can_look_up=True), AwaitSender(NOW + 60)),
        (Known(UNKNOWN, NOW + 60, can_look_up=False), AwaitSender(NOW + 60)),
        (Known(UNKNOWN, NOW, can_look_up=True), LookUp()),
        (Known(UNKNOWN, NOW - 1, can_look_up=True, absences=1), LookUp()),
        (Known(UNKNOWN, NOW - 1, can_look_up=True, absences=LOOKUPS), Send()),
        (Known(UNKNOWN, NOW - 1, can_look_up=False), Ambiguous()),
        (Known(UNKNOWN, NOW - 1, can_look_up=False, absences=LOOKUPS), Ambiguous()),
    ],
)
def test_each_record_has_its_answer(known: Known | None, answer: object) -> None:
    assert resume(known, now=NOW) == answer


@given(KNOWN, st.floats(0, 3000))
def test_nothing_is_sent_while_a_submit_may_be_out(known: Known, now: float) -> None:
    if isinstance(resume(known, now=now), Send):
        proven = known.can_look_up and known.absences >= LOOKUPS and now >= known.lease_until
        assert known.state is SubmitState.NOT_SENT or (known.state is UNKNOWN and proven)


@given(KNOWN, st.floats(0, 3000))
def test_an_accepted_job_is_only_ever_followed(known: Known, now: float) -> None:
    assert isinstance(resume(known, now=now), PollAccepted) == (known.state is SubmitState.ACCEPTED)
