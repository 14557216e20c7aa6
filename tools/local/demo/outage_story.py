"""The second half of the demo: a provider goes down on purpose, and everything that follows is shown as it happens."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from mediarelay.alerts.contract import Alert
from mediarelay.announce.contract import ResultEvent
from mediarelay.health.judgement import Status
from tools.local.demo import verdict
from tools.local.demo.gallery import OutageSeen
from tools.local.demo.subscriber import Subscriber
from tools.local.outage.calls import ProviderCall, trials
from tools.local.outage.drill import NOBODY, ORDER, Drill, NothingCame
from tools.local.outage.http_inbox import HttpInbox
from tools.local.outage.inbox import Inbox
from tools.local.stack import LocalStack
from tools.simulator.client import SimulatorClient

PROVIDER = ORDER[0]
PER_SECOND = 20.0
# Of a provider that is known so well three faults in a row are an outage; of fewer calls it takes one more fault,
# and that one comes two seconds later.
KNOWN_SAMPLES = 100
# Ends a wait for what never comes; a busy machine needs longer than an idle one.
MAX_WAIT_SECONDS = 600.0
# Until the results of what was published by now have come.
SETTLING_SECONDS = 2.0


def show_outage(
    console: Console, stack: LocalStack, simulator: SimulatorClient, subscriber: Subscriber, run: str
) -> tuple[list[str], OutageSeen]:
    """Tell the story while it happens; one sentence for each thing that was not seen, and what was."""
    sns, topic = stack.client("sns"), stack.outputs["ProviderAlertsTopicArn"]
    inbox = Inbox(stack.client("sqs"), sns, topic, f"{run}-alerts")
    console.print(f"\n[bold]Taking {PROVIDER} down on purpose[/bold], under {PER_SECOND:g} speech requests a second")
    with HttpInbox(sns, topic) as http:
        story = _Story(console, Drill(stack, simulator, inbox, ORDER), http, subscriber)
        try:
            story.tell(run)
        except NothingCame as missing:
            return [f"outage: {missing}"], story.seen()
        return list(story.complaints()), story.seen()


@dataclass
class _Story:
    console: Console
    drill: Drill
    http: HttpInbox
    subscriber: Subscriber
    began: float = field(default_factory=time.monotonic)
    by_http: list[Alert] = field(default_factory=list)
    results: dict[str, ResultEvent] = field(default_factory=dict)
    ids: Sequence[str] = ()
    trials: list[ProviderCall] = field(default_factory=list)
    due: float | None = None
    said: list[tuple[float, str]] = field(default_factory=list)

    def tell(self, run: str) -> None:
        """From well to down to well again.

        Raises:
            NothingCame: A part of it did not happen.
        """
        self.drill.sweep()
        with self.drill.traffic(f"{run}-outage", per_second=PER_SECOND, at_most=NOBODY) as self.ids:
            self.drill.warm(KNOWN_SAMPLES, max_wait=MAX_WAIT_SECONDS)
            self._take_results(SETTLING_SECONDS)
            self._say(f"[green]healthy[/green]: {self._served()}")
            with self.drill.broken():
                self._say(f"[red]{PROVIDER} answers 500 from now on[/red]")
                before = set(self.results)
                self._until_down()
                self._take_results(SETTLING_SECONDS)
                self._say(f"traffic moved: {self._served(before)}; {self._reached()} calls still reached {PROVIDER}")
            self._say(f"[green]{PROVIDER} is mended[/green]; nobody knows yet, and it is left alone for 30 s")
            self._until_well()
        self._take_results(MAX_WAIT_SECONDS)
        ended = f"{len(self.ids)} requests published, {len(self._succeeded())} succeeded"
        self._say(f"{ended}: {self._served()}")

    def complaints(self) -> Iterator[str]:
        """What was not as intended."""
        told = {"SQS": self._by_sqs(), "HTTP": self.by_http}
        return verdict.of_outage(self.ids, self.results, told, self.trials)

    def seen(self) -> OutageSeen:
        """What happened, for a picture of it."""
        served = [(event.settled_at / 1000, event.provider or "nobody") for event in self._succeeded()]
        faults = [call.ended for call in self.drill.calls() if call.failed]
        return OutageSeen(PROVIDER, served, faults, self.said)

    # --- the acts -------------------------------------------------------------------------------------------------

    def _until_down(self) -> None:
        self.drill.until("a record that is down", lambda: self.drill.status() is Status.DOWN, max_wait=MAX_WAIT_SECONDS)
        record = self.drill.record()
        self._say(f"health record: [red]down[/red], {record.reason if record else ''}")
        self._until_told("opened")

    def _until_well(self) -> None:
        with self.console.status(f"the circuit of {PROVIDER} is open"):
            self.drill.until("a trial", self._new_trials, max_wait=MAX_WAIT_SECONDS)
            self.drill.until("a record that is healthy", self._well, max_wait=MAX_WAIT_SECONDS)
            self._new_trials()
        self._say("health record: [green]healthy[/green], the circuit is closed")
        self._until_told("resolved")

    def _until_told(self, event: str) -> None:
        told = self.drill.until(f"'{event}' by SQS", lambda: self.drill.told(event), max_wait=MAX_WAIT_SECONDS)
        self._say(f"SQS subscriber:  [bold]{told[0][1].summary}[/bold] [dim]({event}, {told[0][1].severity})[/dim]")
        found = self.drill.until(f"'{event}' by HTTP", lambda: self._told_by_http(event), max_wait=MAX_WAIT_SECONDS)
        self._say(f"HTTP subscriber: [bold]{found[0].summary}[/bold] [dim]({event}, at {self.http.url})[/dim]")

    # --- what is seen ---------------------------------------------------------------------------------------------

    def _well(self) -> bool:
        self._new_trials()
        return self.drill.status() is Status.HEALTHY

    def _new_trials(self) -> list[ProviderCall]:
        """The calls since its circuit was due and until it was closed, each told once."""
        record = self.drill.record()
        if record is None:
            return self.trials
        if self.due is None and record.circuit.is_open:
            self.due = record.circuit.until
        closed = record.since if record.status is Status.HEALTHY else math.inf
        due = math.inf if self.due is None else self.due
        for call in trials(self.drill.calls(), due=due, closed=closed):
            if call not in self.trials:
                self.trials.append(call)
                took = f"{1000 * (call.ended - call.started):.0f} ms"
                self._say(f"trial {len(self.trials)}: {call.outcome} in {took}")
        return self.trials

    def _told_by_http(self, event: str) -> list[Alert]:
        self.by_http += [alert for alert in self.http.alerts() if alert.provider == PROVIDER]
        return [alert for alert in self.by_http if alert.event == event]

    def _by_sqs(self) -> list[Alert]:
        return [alert for _, alert in self.drill.alerts if alert.provider == PROVIDER]

    def _take_results(self, seconds: float) -> None:
        """What arrives meanwhile; it ends early when there is one for every request."""
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at and not set(self.ids) <= set(self.results):
            received, mine = list(self.subscriber.receive()), set(self.ids)
            self.results |= {event.request_id: event for event in received if event.request_id in mine}

    def _succeeded(self) -> list[ResultEvent]:
        return [event for event in self.results.values() if event.status == "succeeded"]

    def _served(self, before: set[str] = frozenset()) -> str:  # type: ignore[assignment] # nothing is added to it
        by = Counter(event.provider for name, event in self.results.items() if name not in before)
        return ", ".join(f"{count} served by {provider}" for provider, count in by.most_common())

    def _reached(self) -> int:
        return sum(call.failed for call in self.drill.calls())

    def _say(self, text: str) -> None:
        self.said.append((time.time(), text))
        self.console.print(f"  [dim]{time.monotonic() - self.began:5.1f} s[/dim]  {text}")
