"""`python -m tools.deployment check | deploy | doctor | announce | callbacks`: what is done to a stack from outside."""

from __future__ import annotations

import os
import shlex
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tools.deployment import account
from tools.deployment.announce import Wanted, announced_again, moment, replayed
from tools.deployment.deploy import Deployment
from tools.deployment.doctor import Doctor
from tools.deployment.findings import told
from tools.deployment.stack import DeployedStack, deployed_stack

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Stage = Annotated[str, typer.Option(help="The stage; the stack is mediarelay-STAGE.")]
Parameters = Annotated[str, typer.Option(envvar="DEPLOY", help="Name=value pairs, quoted as a shell quotes.")]


@app.command()
def check(stage: Stage = "dev", parameters: Parameters = "") -> None:
    """Look at region, limits, parameters and secrets, and build nothing."""
    raise SystemExit(1 if told(_deployment(stage, parameters, confirm=False).checks()) else 0)


@app.command()
def deploy(
    stage: Stage = "dev",
    parameters: Parameters = "",
    confirm: Annotated[str, typer.Option(envvar="CONFIRM", help="no: deploy without asking.")] = "yes",
) -> None:
    """Check, then build, then deploy."""
    raise SystemExit(_deployment(stage, parameters, confirm=confirm != "no").deploy())


@app.command()
def doctor(stack: Annotated[str, typer.Option(help="The name of a deployed stack.")] = "mediarelay-dev") -> None:
    """Examine a deployed stack. Nothing is changed, and nothing is bought."""
    raise SystemExit(1 if told(Doctor(account.session_in(os.environ), stack).findings()) else 0)


Since = Annotated[str, typer.Option(help="From when the jobs were settled, ISO 8601: 2026-11-28T10:00Z.")]
Until = Annotated[str, typer.Option(help="Until when; now where it is not said.")]
Stack = Annotated[str, typer.Option(help="The name of a deployed stack.")]
Ids = Annotated[list[str] | None, typer.Option(help="Only this job; may be said several times.")]
DryRun = Annotated[bool, typer.Option(help="Count them, send nothing.")]


@app.command()
def announce(
    since: Since, stack: Stack = "mediarelay-dev", until: Until = "", request_id: Ids = None, *, dry_run: DryRun = False
) -> None:
    """Publish the results of settled jobs again, under the event ids that they had."""
    session, found, wanted = _settled(stack, since, until, request_id)
    told, failed = announced_again(session, found, wanted, dry_run=dry_run)
    print(f"{told} results {'would be' if dry_run else 'were'} announced")
    if failed:
        print(f"mediarelay: {failed} results could not be announced; the log above says why", file=sys.stderr)
    raise SystemExit(1 if failed else 0)


@app.command()
def callbacks(
    since: Since, stack: Stack = "mediarelay-dev", until: Until = "", request_id: Ids = None, *, dry_run: DryRun = False
) -> None:
    """Have callbacks tried anew that were given up, or all of the jobs that are named, under the ids that they had."""
    session, found, wanted = _settled(stack, since, until, request_id)
    if "CallbackQueueUrl" not in found.outputs:
        print(f"mediarelay: {stack} has no callbacks (parameter CallbackHosts)", file=sys.stderr)
        raise SystemExit(1)
    count = replayed(session, found, wanted, dry_run=dry_run)
    print(f"{count} callbacks {'would be' if dry_run else 'are'} tried anew")


def _settled(stack: str, since: str, until: str, ids: list[str] | None) -> tuple[Any, DeployedStack, Wanted]:
    """Returns where to look for the jobs, and which."""
    session = account.session_in(os.environ)
    found = deployed_stack(session, stack)
    if found is None:
        print(f"mediarelay: there is no stack {stack} in {session.region_name}", file=sys.stderr)
        raise SystemExit(1)
    try:
        wanted = Wanted(moment(since), moment(until) if until else datetime.now(UTC), frozenset(ids or ()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return session, found, wanted


def _deployment(stage: str, parameters: str, *, confirm: bool) -> Deployment:
    pairs = [pair.partition("=") for pair in shlex.split(parameters)]
    bad = [name for name, equals, _ in pairs if not equals]
    if bad:
        raise typer.BadParameter(f"parameters are Name=value, not {', '.join(bad)}")
    given = {name: value for name, _, value in pairs}
    return Deployment(account.session_in(os.environ), stage, given, confirm)


if __name__ == "__main__":
    app()
