"""`python -m tools.local.sam_local FUNCTION EVENT`: build, and `sam local invoke` on the stack of `make local`."""

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from tools.local.plan import StackPlan
from tools.local.project import ROOT, WORKDIR
from tools.local.sam_local.invocation import InvokeError, build, invoke
from tools.local.stack import LocalStack
from tools.local.state import LocalState


def main(
    function: Annotated[str, typer.Argument(help="Logical id in template.yaml, such as DispatchRequestFunction.")],
    event: Annotated[Path, typer.Argument(help="A file of events/lambda.", exists=True, dir_okay=False)],
    *,
    skip_pull: Annotated[bool, typer.Option(help="Use the image that is there, and ask no registry.")] = False,
) -> None:
    """Print the function's log on stderr and its answer on stdout."""
    try:
        stack = _running_stack()
        print("building the functions for a container (sam build)", file=sys.stderr)
        build()
        print(f"sam local invoke {function} --event {event}", file=sys.stderr)
        done = invoke(stack, function, event.resolve(), options=("--skip-pull-image",) if skip_pull else ())
    except InvokeError as error:
        print(f"mediarelay: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(done.log, file=sys.stderr)
    print(json.dumps(done.answer, indent=2))


def _running_stack() -> LocalStack:
    if shutil.which("docker") is None:
        raise InvokeError("`sam local invoke` runs functions in containers: install Docker")
    state = LocalState.load(WORKDIR)
    ministack = state.running_ministack()
    if ministack is None:
        raise InvokeError(f"the local stack is down; start it with `make local` in {ROOT}")
    return LocalStack(ministack, StackPlan(), state.outputs)


if __name__ == "__main__":
    typer.run(main)
