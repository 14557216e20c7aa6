"""Did every request end as intended? The demo fails when one did not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mediarelay.alerts.contract import Alert
from mediarelay.announce.contract import ResultEvent
from tools.local.demo.scenario import Case
from tools.local.outage.calls import ProviderCall, one_at_a_time

ONE_INCIDENT = ["opened", "resolved"]


def by_case(
    cases: Sequence[Case], message_names: Mapping[str, str], events: Sequence[ResultEvent]
) -> dict[str, list[ResultEvent]]:
    """The events of each case, found by the id the publisher gave, or by the message's own."""
    names = {**message_names, **{wanted: case.name for case in cases if (wanted := _request_id(case))}}
    found: dict[str, list[ResultEvent]] = {case.name: [] for case in cases}
    for event in events:
        name = names.get(event.request_id)
        if name is not None:
            found[name].append(event)
    return found


def complaints(cases: Sequence[Case], found: Mapping[str, Sequence[ResultEvent]]) -> Iterator[str]:
    """One sentence for each thing that is not as intended."""
    for case in cases:
        events = found[case.name]
        if len(events) != case.results:
            yield f"{case.name}: {len(events)} results instead of {case.results}"
        for event in events:
            yield from _of_event(case, event)


def overpaid(cases: Sequence[Case], paid: Mapping[str, int]) -> Iterator[str]:
    """Requests whose text was paid for more often than they have results.

    Times are a second purchase at a vendor that makes them by a call of their own.
    """
    for case in cases:
        asked = _asked(case)
        bought = paid.get(asked, 0) if asked else 0
        if bought > case.results * (2 if _input(case).get("timestamps") else 1):
            yield f"{case.name}: paid {bought} times for {case.results} results"


def of_outage(
    ids: Sequence[str],
    results: Mapping[str, ResultEvent],
    told: Mapping[str, Sequence[Alert]],
    trials: Sequence[ProviderCall],
) -> Iterator[str]:
    """Yield a sentence for each thing that an outage should not have come to.

    Args:
        ids: The requests that were published meanwhile.
        results: What came of them.
        told: The alerts that each subscriber received.
        trials: The calls that tried the provider again.
    """
    failed = sum(name not in results or results[name].status != "succeeded" for name in ids)
    if failed:
        yield f"outage: {failed} of {len(ids)} requests did not succeed"
    for subscriber, alerts in told.items():
        if [alert.event for alert in alerts] != ONE_INCIDENT or len({alert.incident_id for alert in alerts}) != 1:
            yield f"outage: the {subscriber} subscriber received {[str(alert.event) for alert in alerts]}"
    if not one_at_a_time(trials):
        yield "outage: trials overlapped"


def _of_event(case: Case, event: ResultEvent) -> Iterator[str]:
    if event.status != case.expected:
        why = f" ({event.error.message})" if event.error else ""
        yield f"{case.name}: {event.status} instead of {case.expected}{why}"
    if len(event.attempts) < case.calls:
        yield f"{case.name}: {len(event.attempts)} calls instead of {case.calls}"
    if event.key_rotations < case.rotations:
        yield f"{case.name}: {event.key_rotations} key rotations instead of {case.rotations}"
    if case.provider and event.provider != case.provider:
        yield f"{case.name}: served by {event.provider} instead of {case.provider}"


def _request_id(case: Case) -> str | None:
    try:
        wanted = json.loads(case.body).get("request_id")
    except ValueError:
        return None
    return wanted if isinstance(wanted, str) else None


def _input(case: Case) -> Mapping[str, Any]:
    """What the case asks for; empty when its body is none of ours."""
    try:
        given = json.loads(case.body).get("input")
    except (ValueError, AttributeError):
        return {}
    return given if isinstance(given, Mapping) else {}


def _asked(case: Case) -> str | None:
    given = _input(case)
    text = given.get("text") or given.get("prompt")
    return text if isinstance(text, str) else None
