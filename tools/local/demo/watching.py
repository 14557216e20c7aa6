"""Publish, then watch the results come in: live bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from mediarelay.announce.contract import ResultEvent
from mediarelay.vocabulary.kinds import Kind
from tools.local.demo.job_states import JobStates
from tools.local.demo.scenario import Case, Scenario
from tools.local.demo.subscriber import Subscriber

# Ends as soon as the last result is in; a busy machine may take minutes over the first start of each function.
MAX_WAIT_SECONDS = 900
LINE_EVERY = 5


def publish(sqs: Any, queue_url: str, cases: Sequence[Case]) -> dict[str, str]:
    """Send every copy of every case; the case's name by the id its job will have."""
    names: dict[str, str] = {}
    for case in cases:
        for _ in range(case.copies):
            message_id = sqs.send_message(QueueUrl=queue_url, MessageBody=case.body)["MessageId"]
            names[message_id] = case.name
    return names


class Board:
    """What a person sees while results come in."""

    def __init__(self, console: Console, scenario: Scenario) -> None:
        self._console = console
        self._total = scenario.results
        self._seen = 0
        self._progress = Progress(
            TextColumn("  {task.description:<10}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._bars: dict[str, TaskID] = {}
        for name, total in _totals(scenario).items():
            self._bars[name] = self._progress.add_task(name, total=total)
        self._states = self._progress.add_task("jobs", total=None, visible=False)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def show(self, event: ResultEvent) -> None:
        """One more result."""
        self._seen += 1
        bar = "rejected" if event.status == "rejected" else str(event.kind)
        if bar in self._bars:
            self._progress.advance(self._bars[bar])
        if not self._console.is_terminal and (self._seen % LINE_EVERY == 0 or self._seen == self._total):
            self._console.print(f"  {self._seen}/{self._total} results")

    def show_states(self, states: JobStates) -> None:
        """How many video and audio jobs are in which state, when that has changed."""
        told = states.changed()
        if told is None:
            return
        if self._console.is_terminal:
            self._progress.update(self._states, description=f"jobs: {told}", visible=True)
        else:
            self._console.print(f"  video and audio: {told}")


def watch(subscriber: Subscriber, scenario: Scenario, console: Console, states: JobStates) -> list[ResultEvent]:
    """Every event until all results are in, or patience ends; meanwhile, how the jobs that take long stand."""
    events: dict[str, ResultEvent] = {}
    ends_at = time.monotonic() + MAX_WAIT_SECONDS
    with Board(console, scenario) as board:
        while len(events) < scenario.results and time.monotonic() < ends_at:
            for event in subscriber.receive():
                if event.event_id not in events:
                    events[event.event_id] = event
                    board.show(event)
            board.show_states(states)
    return list(events.values())


def _totals(scenario: Scenario) -> Mapping[str, int]:
    totals = dict.fromkeys((*Kind, "rejected"), 0)
    for case in scenario.cases:
        kinds = (kind for kind in Kind if f'"kind": "{kind}"' in case.body)
        totals["rejected" if case.expected == "rejected" else next(kinds)] += case.results
    return {str(name): total for name, total in totals.items() if total}
