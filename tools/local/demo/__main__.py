"""`python -m tools.local.demo`: run the main job on the local stack and show what came of it."""

from __future__ import annotations

import shutil
import signal
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mediarelay.announce.contract import ResultEvent
from mediarelay.keys.parsing import keys_from
from tools.local.demo import gallery, report, verdict, watching
from tools.local.demo.calendar_story import VENDORS_IN_TURN, CalendarStory, end_by
from tools.local.demo.function_logs import save_function_logs
from tools.local.demo.job_states import JobStates
from tools.local.demo.outage_story import show_outage
from tools.local.demo.scenario import Case, Scenario, scenario
from tools.local.demo.subscriber import Subscriber
from tools.local.demo.vendors import Vendors, real_vendors, simulated_vendors
from tools.local.deploy import DeployError
from tools.local.project import ROOT
from tools.local.stack import LocalStack
from tools.localaws.ministack_process import MiniStackError
from tools.simulator.client import SimulatorClient

PAGE_WIDTH = 130  # of a log file, where nothing tells the width
WORKDIR = ROOT / ".local" / "demo"
RESULTS = ROOT / "build" / "demo"


class VendorChoice(StrEnum):
    """Who is called."""

    SIMULATED = "simulated"
    REAL = "real"


def main(
    vendors: Annotated[VendorChoice, typer.Option(help="Who is called.")] = VendorChoice.SIMULATED,
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Rehearse that day, with simulated vendors, instead."),
    ] = None,
) -> None:
    """Publish events/requests to the local stack and show what came of each."""
    if day is not None and vendors is VendorChoice.REAL:
        raise typer.BadParameter("real vendors live today: a day is rehearsed with simulated ones")
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PAGE_WIDTH)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with ExitStack() as stack:
            chosen = real_vendors() if vendors is VendorChoice.REAL else simulated_vendors(stack)
            good = _rehearse(stack, console, chosen, day.date()) if day else _run(stack, console, chosen)
        console.print("Cleaned up: nothing is left running.")
    except (MiniStackError, DeployError) as error:
        console.print(f"\n[red]The local stack did not come up:[/red] {error}", markup=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        console.print("\nInterrupted; nothing is left running.")
        raise SystemExit(130) from None
    raise SystemExit(0 if good else 1)


def _interrupt(*_: object) -> None:
    """Ctrl-C and a polite end from outside clean up alike, also where a shell made us deaf to Ctrl-C."""
    raise KeyboardInterrupt


def _rehearse(stack: ExitStack, console: Console, vendors: Vendors, day: date) -> bool:
    """Show speech on another day, when models and voices have ended."""
    if vendors.simulator is None:
        raise TypeError("a day is rehearsed with simulated vendors")
    run = f"demo-{uuid.uuid4().hex[:6]}"
    console.print(f"[bold]mediarelay demo[/bold] as of [bold]{day.isoformat()}[/bold], {vendors.description}")
    told = replace(vendors, parameters={**vendors.parameters, "CalendarDay": day.isoformat()})
    local = _up(stack, console, told)
    for ended in end_by(day, vendors.simulator):
        console.print(f"  gone by then: {ended}")
    topic = local.outputs["MediaResultsTopicArn"]
    subscriber = Subscriber(local.client("sqs"), local.client("sns"), topic, f"{run}-results")
    story = CalendarStory(console, local, vendors.simulator, subscriber, run)
    story.tell()
    for complaint in story.complaints:
        console.print(f"[red]{complaint}[/red]")
    if not story.complaints:
        console.print(f"[green]{VENDORS_IN_TURN} vendors spoke in turn, every format came, all bought once.[/green]")
    else:
        written = save_function_logs(local.client("logs"), WORKDIR / "functions.log")
        console.print(f"What the functions logged: {_shown(written)}")
    return not story.complaints


def _run(stack: ExitStack, console: Console, vendors: Vendors) -> bool:
    plan = scenario(
        f"demo-{uuid.uuid4().hex[:6]}", simulated=vendors.simulator is not None, vendors=keys_from(vendors.keys)
    )
    console.print(f"[bold]mediarelay demo[/bold]: {plan.messages} messages, {vendors.description}")
    local = _up(stack, console, vendors)
    sqs, sns = local.client("sqs"), local.client("sns")
    subscriber = Subscriber(sqs, sns, local.outputs["MediaResultsTopicArn"], f"{plan.run}-results")
    for case in plan.cases if vendors.simulator else ():
        if case.fault:
            vendors.simulator.fault(**case.fault)  # type: ignore[union-attr]  # checked above
    console.print(f"Publishing to the request queue, and waiting for {plan.results} results on MediaResults")
    started = time.monotonic()
    names = watching.publish(sqs, local.outputs["RequestQueueUrl"], plan.cases)
    states = JobStates(local.client("dynamodb"), local.outputs["JobsTableName"], plan.run)
    events = watching.watch(subscriber, plan, console, states)
    console.print(f"{len(events)} of {plan.results} results in {time.monotonic() - started:.1f} s\n")
    found = verdict.by_case(plan.cases, names, events)
    shutil.rmtree(RESULTS, ignore_errors=True)
    saved, seen = report.save(found, RESULTS), None
    good = _conclude(console, plan, vendors, found, saved)
    if vendors.simulator:
        well, seen = _outage(console, local, vendors.simulator, subscriber, plan.run)
        good = well and good
    console.print(f"To look at and listen to: {_shown(gallery.write(RESULTS, plan.cases, found, saved, seen))}")
    if not good:
        written = save_function_logs(local.client("logs"), WORKDIR / "functions.log")
        console.print(f"What the functions logged: {_shown(written)}")
    return good


def _outage(
    console: Console, local: LocalStack, simulator: SimulatorClient, subscriber: Subscriber, run: str
) -> tuple[bool, gallery.OutageSeen]:
    wrong, seen = show_outage(console, local, simulator, subscriber, run)
    for complaint in wrong:
        console.print(f"[red]{complaint}[/red]")
    if not wrong:
        console.print("[green]The outage was noticed, avoided, told, and is over.[/green]")
    return not wrong, seen


def _up(stack: ExitStack, console: Console, vendors: Vendors) -> LocalStack:
    started = time.monotonic()
    local = stack.enter_context(
        LocalStack.start(
            workdir=WORKDIR,
            parameters=vendors.parameters,
            secret=vendors.keys,
            progress=lambda step: console.print(f"  [dim]{time.monotonic() - started:5.1f} s[/dim]  {step}"),
        )
    )
    console.print(f"The stack is up at {local.endpoint} after {time.monotonic() - started:.0f} s")
    return local


def _conclude(
    console: Console,
    plan: Scenario,
    vendors: Vendors,
    found: Mapping[str, Sequence[ResultEvent]],
    saved: Mapping[str, list[str]],
) -> bool:
    console.print(report.table(plan.cases, found, saved))
    console.print()
    report.show_stories(console, plan.cases, found)
    wrong = [*verdict.complaints(plan.cases, found), *_overpaid(plan.cases, vendors)]
    count = sum(len(files) for files in saved.values())
    console.print(f"\n{count} playable files in {_shown(RESULTS)}/")
    if wrong:
        console.print(f"[red]{len(wrong)} not as intended:[/red]")
        for complaint in wrong:
            console.print(f"  {complaint}", markup=False)
    else:
        console.print(f"[green]Every one of the {plan.messages} messages ended as intended.[/green]")
    return not wrong


def _overpaid(cases: Sequence[Case], vendors: Vendors) -> list[str]:
    return list(verdict.overpaid(cases, vendors.simulator.paid())) if vendors.simulator else []


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
