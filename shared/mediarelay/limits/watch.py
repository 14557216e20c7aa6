"""Once a minute: does a vendor give less than was declared?

A declared limit is where learning begins; what the vendor does is measured and used, without anybody being asked. That
is told to whoever declares limits: either the declaration is wrong, or the account has less than was paid for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from mediarelay.limits.contract import LimitReport, LowerLimit
from mediarelay.limits.gcra import LimitState
from mediarelay.limits.learned_rate import LearnedRate
from mediarelay.limits.local_view import GROUP
from mediarelay.limits.ports import LimitReports, LimitStore

# Below this part of what was declared, a measured limit is told; above the second, that it is over.
LOWER: Final = 0.9
BACK: Final = 0.95


def held(pace: LearnedRate, declared: float) -> float | None:
    """Return the calls a second that are held to be the limit. None before a test has shown that a cut was right, as
    refusals may have come by chance, and while a test goes well, up to what was *declared*.
    """
    if pace.ceiling is None:
        return pace.base if pace.base >= declared else None
    return None if pace.before is not None else pace.proven or pace.ceiling


def lower_limits(
    declared: Mapping[str, float], states: Mapping[str, LimitState], before: Sequence[LowerLimit]
) -> list[LowerLimit]:
    """Return the limits that are lower than declared.

    Args:
        declared: Calls a minute, by account.
        states: What the workers share of the accounts, and of all of them together.
        before: Those that were lower a minute ago. One that was declared anew since is lower once it is found so again.
    """
    known = {each.account: each for each in before}
    found: list[LowerLimit] = []
    for account, most in {**declared, GROUP: sum(declared.values())}.items():
        pace = states[account].pace if account in states else None
        was = known.get(account)
        anew = was is not None and was.declared_per_minute != most
        if pace is None or anew:
            continue
        rate = held(pace, most / 60.0)
        if rate is None:
            found += [was] if was else []
        elif 60.0 * rate < (BACK if was else LOWER) * most:
            # The number that was told stays: a measurement moves a little all the time.
            found.append(was or LowerLimit(account=account, declared_per_minute=most, measured_per_minute=60.0 * rate))
    return found


class LimitWatch:
    """Watches for the minute sweep. One per worker."""

    def __init__(self, vendors: Mapping[str, str], limits: LimitStore, reports: LimitReports) -> None:
        """`vendors` are those of the providers, by name."""
        self._vendors = vendors
        self._limits = limits
        self._reports = reports

    def look(self, rates: Mapping[str, Mapping[str, float]], now: float) -> None:
        """Compare what is measured with what is declared, and report where that has changed.

        Args:
            rates: What is declared, calls a minute by vendor and account.
            now: Unix seconds.

        Raises:
            StoreUnavailable: Something could not be read or written.
        """
        reports = self._reports.load()
        gone = {provider: report.vendor for provider, report in reports.items() if provider not in self._vendors}
        for provider, vendor in {**self._vendors, **gone}.items():
            declared = {} if provider in gone else rates.get(vendor, {})
            before = reports.get(provider)
            known = before.lower if before is not None else []
            states = self._limits.look(provider, [[GROUP, *sorted(declared)]]) if declared else {}
            lower = lower_limits(declared, states, known)
            if lower != known:
                self._reports.save(_report(provider, vendor, lower, before, declared, now))


def _report(
    provider: str,
    vendor: str,
    lower: list[LowerLimit],
    before: LimitReport | None,
    declared: Mapping[str, float],
    now: float,
) -> LimitReport:
    known = before.lower if before is not None else []
    whole = {**declared, GROUP: sum(declared.values())}
    anew = any(whole.get(each.account) != each.declared_per_minute for each in known)
    return LimitReport(
        provider=provider,
        vendor=vendor,
        status="limit_lower_than_declared" if lower else "as_declared",
        since=before.since if before is not None and known else now,
        at=now,
        lower=lower,
        reason="" if lower else "it is declared anew, or gone" if anew else "the vendor gives what is declared",
    )
