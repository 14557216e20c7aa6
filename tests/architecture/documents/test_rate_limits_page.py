"""The worked example of docs/rate-limits.md, computed with the functions that ship."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mediarelay.limits.fairness import newcomer_share
from mediarelay.limits.gcra import Acquire, Granted, LimitState, acquire
from mediarelay.limits.planning import break_even_seconds, delay_seconds, lead_seconds
from mediarelay.vocabulary.limit import Limit
from tests.architecture.source import ROOT

PAGE = (ROOT / "docs" / "rate-limits.md").read_text("utf-8")
LIMIT = Limit(rate=10.0, burst=20)
NOW = 1_000_000.0
WORKERS = {"A": 10, "B": 10, "C": 10, "D": 10, "E": 1}


def taken() -> Iterator[tuple[str, LimitState, Granted]]:
    """Each worker's permits, with the state before."""
    state = LimitState()
    for worker, count in WORKERS.items():
        wanted = Acquire("acme", "key", count, LIMIT, now=NOW, not_after=NOW + 60.0, seen=state, buckets=("1",))
        answer = acquire(state, wanted)
        assert isinstance(answer, Granted)
        yield worker, state, answer
        state = answer.state


def table() -> list[str]:
    """The rows of the page's table."""
    marked = PAGE.partition("<!-- worked example")[2].partition("<!-- end -->")[0]
    return [line for line in marked.splitlines() if line.startswith("| ") and not line.startswith("| worker")]


def usable(starts: tuple[float, ...]) -> str:
    """When permits are usable, in the page's words."""
    first, last = (f"{moment - NOW:.3f}" for moment in (starts[0], starts[-1]))
    now = sum(start == NOW for start in starts)
    if now == len(starts) > 1:
        return f"{first} all"
    if now:
        return (
            f"{first} {('', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight')[now]}, then "
            + " and ".join(f"{start - NOW:.3f}" for start in starts[now:])
        )
    return first if first == last else f"{first} to {last}"


def test_the_table_is_what_the_functions_grant() -> None:
    rows = [
        f"| {worker} | {len(granted.starts)} | {max(before.tat, NOW) - NOW:.3f} | {usable(granted.starts)} "
        f"| {granted.state.tat - NOW:.3f} |"
        for worker, before, granted in taken()
    ]
    assert table() == rows


def test_the_text_tells_when_a_message_is_requeued() -> None:
    *_, (_, _, last) = taken()
    (start,) = last.starts
    delay = delay_seconds(start - lead_seconds(newcomer_share(LIMIT).grace), now=NOW)
    assert f"`DelaySeconds` {delay}, carrying its reservation for second {start - NOW:.3f}" in PAGE
    assert f"from second {delay} on, {NOW + delay - start:.3f} s after its reservation" in PAGE
    assert f"the grace of {newcomer_share(LIMIT).grace:.1f} s" in PAGE
    assert f"may wait up to {break_even_seconds(10):.1f} s in the worker" in PAGE


def test_the_text_tells_what_the_newcomer_share_holds() -> None:
    before, after = [granted.state for _, _, granted in taken()][2:4]
    assert before.newcomer_tat is not None
    (opened,) = [granted.ask for worker, _, granted in taken() if worker == "C"]
    assert f"costs C another {opened.advance - opened.count * opened.step:.3f} s" in PAGE
    assert after.newcomer_level(LIMIT, NOW) == 0
    assert after.newcomer_level(LIMIT, NOW + 2.0) == 1


@pytest.mark.parametrize(
    "fact",
    [f"the interval is {LIMIT.interval:.1f} s", f"the tolerance {LIMIT.tolerance:.1f} s", "`Limit(rate=10, burst=20)`"],
)
def test_the_text_tells_the_limit(fact: str) -> None:
    assert fact in PAGE
