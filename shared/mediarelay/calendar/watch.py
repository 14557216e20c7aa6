"""Once an hour: is there anything that too few vendors with keys will serve on one of the next ninety days?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from mediarelay.calendar.contract import CapabilityState
from mediarelay.calendar.ports import CapabilityStates
from mediarelay.providers.api import Capability
from mediarelay.providers.listing import NONE_ADDED, AddedServers
from mediarelay.vocabulary.kinds import Kind

# Only for annotations: what decides is imported when it is due, once an hour.
if TYPE_CHECKING:
    from mediarelay.calendar.coverage import Risk

logger = logging.getLogger(__name__)

EVERY_SECONDS: Final = 3600.0
TOLD_AGAIN_SECONDS: Final = 7 * 24 * 3600.0


class CapabilityWatch:
    """Looks ahead for the minute sweep. One per worker."""

    def __init__(
        self,
        providers: Mapping[str, Capability],
        states: CapabilityStates,
        *,
        servers: AddedServers = NONE_ADDED,
        enabled: Collection[str] = (),
        day: date | None = None,
    ) -> None:
        """Of the providers, the deployment's own servers among them, only those *enabled* are offered; empty: all.

        With a *day* that one is rehearsed, instead of today.
        """
        self._day = day
        self._known = providers
        self._servers = servers
        self._states = states
        self._enabled = frozenset(enabled) or frozenset(providers)
        self._looked: tuple[float, frozenset[str], object] | None = None

    def look(self, vendors: Collection[str], beside: Callable[[str], object], now: float) -> None:
        """Look ahead, once an hour or when other vendors have keys, and keep what people should hear of.

        Args:
            vendors: Those that have keys.
            beside: Reads what the operator has written beside the keys, such as further voices.
            now: Unix seconds.

        Raises:
            StoreUnavailable: What was told before could not be read, or the news not be written.
        """
        from mediarelay.voices.book import VOICES_FIELD  # noqa: PLC0415

        asked, voices = frozenset(vendors), beside(VOICES_FIELD)
        if self._looked and now - self._looked[0] < EVERY_SECONDS and self._looked[1:] == (asked, voices):
            return
        found = self._risks(asked, voices, now)
        before = self._states.load()
        for kind in Kind:
            state = _state(kind, [risk for risk in found if risk.kind is kind], before.get(kind.value), now)
            if state is not None:
                self._states.save(state)
                logger.warning("capability", extra={"kind": kind, "status": state.status, "reason": state.reason})
        self._looked = (now, asked, voices)

    def _risks(self, vendors: Collection[str], voices: object, now: float) -> Sequence[Risk]:
        from mediarelay.calendar.coverage import Supply, risks  # noqa: PLC0415
        from mediarelay.voices.parsing import book_with  # noqa: PLC0415

        known = list(self._known.values())
        offered = [each for each in known if each.vendor in vendors and each.name in self._enabled]
        speaking = {each.name for each in known if each.kind is Kind.TTS}
        book, _ = book_with(voices, speaking, self._servers)
        today = self._day or datetime.fromtimestamp(now, UTC).date()
        return risks(offered, known, Supply(book, self._servers), today)


def _state(kind: Kind, found: Sequence[Risk], before: CapabilityState | None, now: float) -> CapabilityState | None:
    """Return what is to be kept and told of a kind; None when all of it was told less than a week ago.

    One more form at risk is told at once, one less a week later: a vendor that comes and goes is told of once.
    """
    was = before.status if before is not None else "covered"
    status = "capability_at_risk" if found else "covered"
    forms = [risk.form for risk in found]
    known = before is None or (now - before.at < TOLD_AGAIN_SECONDS and set(forms) <= set(before.forms))
    if status == was and (status == "covered" or known):
        return None
    since = before.since if before is not None and was == "capability_at_risk" else now
    return CapabilityState(
        kind=kind,
        status=status,
        since=since,
        at=now,
        forms=forms,
        reason=_reason(found),
        advice=_advice(found),
    )


def _reason(found: Sequence[Risk]) -> str:
    """Who is left from when on, and what ends until then."""
    forms = dict.fromkeys((risk.day, risk.left) for risk in found)
    left = [
        f"{', '.join(risk.form for risk in found if (risk.day, risk.left) == (day, who))}: "
        f"{' and '.join(who) or 'nobody'} from {day.isoformat()} on"
        for day, who in forms
    ]
    return "; ".join([*left, *dict.fromkeys(what for risk in found for what in risk.ends)])


def _advice(found: Sequence[Risk]) -> str:
    others = list(dict.fromkeys(vendor for risk in found for vendor in risk.others))
    if not found:
        return ""
    if not others:
        return "No other vendor that is built in can serve it then: add a provider, or a voice to VOICES."
    return f"Add keys of {' or '.join(others)}, or enable their providers."
