"""`python -m tools.deployment check | deploy | doctor`: what `make deploy` and `make doctor` run."""

from __future__ import annotations

import os
import shlex
from typing import Annotated

import typer

from tools.deployment import account
from tools.deployment.deploy import Deployment
from tools.deployment.doctor import Doctor
from tools.deployment.findings import told

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


def _deployment(stage: str, parameters: str, *, confirm: bool) -> Deployment:
    pairs = [pair.partition("=") for pair in shlex.split(parameters)]
    bad = [name for name, equals, _ in pairs if not equals]
    if bad:
        raise typer.BadParameter(f"parameters are Name=value, not {', '.join(bad)}")
    given = {name: value for name, _, value in pairs}
    return Deployment(account.session_in(os.environ), stage, given, confirm)


if __name__ == "__main__":
    app()
