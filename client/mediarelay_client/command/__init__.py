"""The command `mediarelay`. What one needs is imported when it is called: help and completion wait for nothing."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

import click

from mediarelay_client.errors import RelayError

INTERRUPTED: Final = 130
# The module of each command, and its line in the help.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "say": ("making", "Have a text spoken."),
    "draw": ("making", "Have a picture drawn."),
    "film": ("making", "Have a clip filmed."),
    "compose": ("making", "Have music composed, or a sound made."),
    "batch": ("batching", "Publish a file of requests, and bring back what comes of each."),
    "job": ("following", "What became of a request."),
    "jobs": ("following", "The newest jobs."),
    "cancel": ("following", "End jobs."),
    "retry": ("parking", "Ask for the same again, as a new job."),
    "watch": ("following", "Everybody's results, as they come."),
    "providers": ("looking", "Every provider's health."),
    "keys": ("looking", "Every key, by its id."),
    "voices": ("looking", "Every voice."),
    "models": ("looking", "Every model, with its price."),
    "incidents": ("looking", "The newest alerts."),
    "usage": ("looking", "What was used, and what it cost."),
    "budget": ("looking", "What is spent of budgets."),
    "dlq": ("parking", "What could not be served."),
    "callbacks": ("telling", "Publishers' servers that are told how jobs end."),
    "events": ("telling", "How jobs ended, for those who subscribe."),
    "override": ("operating", "Force a provider or disable a key, for a while."),
    "doctor": ("setup", "What is set, where it is from, and whether it works."),
    "open": ("setup", "Open the console."),
    "url": ("setup", "Where the API is."),
    "login": ("setup", "Keep a token for the API."),
    "sweep-queues": ("setup", "Delete the queues of clients that ended without closing."),
    "completion": ("setup", "Completion for a shell."),
}
# What is called other than its command.
NAMED: Final = {"open": "open_", "sweep-queues": "sweep_queues"}
EXAMPLES: Final = """\b
  mediarelay say "hello" -o hello.mp3
  mediarelay draw "a lighthouse at dusk" --all
  mediarelay batch chapter.jsonl --out out/

Speech, pictures, clips and music, by way of a mediarelay stack. Results go to stdout, talk goes to stderr."""


class Lazy(click.Group):
    """Knows its commands by name, and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 # click's own signature
        """See `click.Group.list_commands`."""
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 # click's own
        """See `click.Group.get_command`."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"{__name__}.{COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, NAMED.get(cmd_name, cmd_name))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 # click's own
        """List them without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _version(ctx: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001 # click calls it so
    if value:
        from mediarelay_client import __version__  # noqa: PLC0415 # click would read the package's metadata, slowly

        click.echo(f"mediarelay {__version__}")
        ctx.exit()


@click.command(
    cls=Lazy, help=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Say which it is.")
def cli() -> None:
    """The group of all commands."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except RelayError as error:
        show_error(error, as_json="--json" in words, trace=_asked_for_trace(words))
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has gone: what follows is for nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, UnicodeDecodeError) as error:
        file = RelayError("bad_file", f"a file can't be read or written ({error})", hint="texts are UTF-8")
        show_error(file.with_traceback(error.__traceback__), as_json="--json" in words, trace=_asked_for_trace(words))
        return file.exit_code


def _run(words: list[str]) -> int:
    try:
        done = cli.main(words, prog_name="mediarelay", standalone_mode="_MEDIARELAY_COMPLETE" in os.environ)
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        said = error.format_message()
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else "mediarelay --help"
        click.echo(f"mediarelay: {said} ; {hint}", err=True)
        return error.exit_code
    return done if isinstance(done, int) else 0


def _asked_for_trace(words: Sequence[str]) -> bool:
    return "-v" in words or "--verbose" in words


def show_error(error: RelayError, *, as_json: bool, trace: bool = False) -> None:
    """Say on stderr what happened and what to do, in one line or as JSON."""
    if trace:
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        told = {
            "code": error.code,
            "message": error.message,
            "retryable": error.retryable,
            "request_id": error.request_id,
            "next": error.hint,
        }
        click.echo(json.dumps({"error": told}, ensure_ascii=False), err=True)
        return
    said = " ".join(error.message.split())
    click.echo(f"mediarelay: {said}{f' ; {error.hint}' if error.hint else ''}", err=True)
