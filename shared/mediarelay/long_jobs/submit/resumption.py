"""A submit that costs money, as a record that is written before the call and after it.

Theory of operation
- `sent_unknown` is written *before* the request leaves, with a lease that ends with the worker: from that moment on the
  vendor may have taken the job, and a worker that dies leaves the record saying so. After the answer it becomes
  `accepted`, or `not_sent` when the vendor's own word or a connection never made proves that nothing was taken.
- The next worker asks `resume` what the record allows. Nothing is sent again while it says `sent_unknown`: the job
  is looked up where the vendor can tell, and is ambiguous where it cannot.
- A look-up that finds nothing is proof only when repeated: a vendor may show a task a moment after it accepted it.
"""

from __future__ import annotations

from typing import Final

from mediarelay.vocabulary.backoff import Growth
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import SubmitState

# Both after the sender's lease: the pause covers a vendor that shows a task late, the second question a hiccup of its
# index.
LOOKUPS: Final = 2
LOOKUP_PAUSE_SECONDS: Final = 5.0
# Until a vendor that does not answer does: ever more rarely, so that hours of it fit into an execution's history.
LOOKUP_TROUBLE: Final = Growth(base=5.0, cap=300.0)


@frozen
class Known:
    """What the record says of the newest submit.

    Attributes:
        state: As last written.
        lease_until: When its sender must have ended, unix seconds.
        can_look_up: Whether its vendor can tell a submit that arrived from one that did not.
        absences: How often the vendor said that it knows no such task.
    """

    state: SubmitState
    lease_until: float
    can_look_up: bool
    absences: int = 0


@frozen
class Send:
    """No submit is under way: one may be sent."""


@frozen
class AwaitSender:
    """Another worker may still be sending; ask again at `until` (unix seconds)."""

    until: float


@frozen
class LookUp:
    """Ask the vendor whether the submit arrived."""


@frozen
class Ambiguous:
    """It cannot be known whether the submit arrived."""


@frozen
class PollAccepted:
    """The vendor has the job: poll it."""


Resumption = Send | AwaitSender | LookUp | Ambiguous | PollAccepted


def resume(known: Known | None, *, now: float) -> Resumption:
    """Decide what may be done next for a job with this record; None when nothing was ever sent."""
    if known is None or known.state is SubmitState.NOT_SENT:
        return Send()
    if known.state is SubmitState.ACCEPTED:
        return PollAccepted()
    if now < known.lease_until:
        return AwaitSender(known.lease_until)
    if not known.can_look_up:
        return Ambiguous()
    return Send() if known.absences >= LOOKUPS else LookUp()
