"""What every command that needs a stack takes: which one, and how much to say."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

if TYPE_CHECKING:
    from mediarelay_client.relay import Relay
    from mediarelay_client.settings import Settings

DUMB: Final = "dumb"


class Session:
    """One run of the command: its stack, and its ways to talk."""

    def __init__(self, given: Mapping[str, str | None], profile: str | None, *, as_json: bool, quiet: bool) -> None:
        self._given = given
        self.profile = profile
        self.as_json = as_json
        self.talk = Talk(quiet=quiet)

    @functools.cached_property
    def settings(self) -> Settings:
        """Where the stack is."""
        from mediarelay_client.settings import find  # noqa: PLC0415 # not for help

        return find(self._given, profile=self.profile)

    @functools.cached_property
    def relay(self) -> Relay:
        """A connection to it."""
        from mediarelay_client.relay import Relay  # noqa: PLC0415 # not for help

        return Relay(self.settings)

    @property
    def tenant(self) -> str | None:
        """Whom this is for."""
        return self.settings.tenant

    def show(self, item: Any) -> None:
        """Write one JSON object on stdout."""
        click.echo(json.dumps(item, ensure_ascii=False))

    def close(self) -> None:
        """Leave nothing behind."""
        if "relay" in self.__dict__:
            self.relay.close()


class Talk:
    """What is said on stderr: a line that overwrites itself on a terminal, plain lines elsewhere."""

    def __init__(self, *, quiet: bool, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet
        plain = environ.get("TERM") == DUMB or "CI" in environ
        self.live = self._stream.isatty() and not plain and not quiet
        self._shown = 0

    def progress(self, text: str, *, whole: bool = True) -> None:
        """Show how far it is. Where lines can't be overwritten, only what is `whole` is said."""
        if self._quiet or not (self.live or whole):
            return
        line = f"· {text}"
        if not self.live:
            print(line, file=self._stream, flush=True)
            return
        print(f"\r{line}{' ' * max(0, self._shown - len(line))}", end="", file=self._stream, flush=True)
        self._shown = len(line)

    def line(self, text: str) -> None:
        """Say something that stays."""
        self.end()
        if not self._quiet:
            print(text, file=self._stream, flush=True)

    def end(self) -> None:
        """End the line that overwrites itself."""
        if self._shown:
            print(file=self._stream, flush=True)
            self._shown = 0


def coloured(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a stream takes colours."""
    return stream.isatty() and "NO_COLOR" not in environ and environ.get("TERM") != DUMB and "CI" not in environ


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print rows in columns; `right` names those of figures. Into a pipe they go by tabs, without heads."""
    found = [[str(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in found:
            click.echo("\t".join(row))
        return
    widths = [max(map(len, column)) for column in zip(heads, *found, strict=True)]
    for number, row in enumerate([list(heads), *found]):
        cells = [
            cell.rjust(width) if head in right else cell.ljust(width)
            for cell, width, head in zip(row, widths, heads, strict=True)
        ]
        text = "  ".join(cells).rstrip()
        click.echo(click.style(text, bold=True) if not number and coloured(sys.stdout) else text)


def with_session(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of every command to one, and give it a `Session` in their place."""

    @functools.wraps(command)
    def run(
        *,
        stack: str | None,
        region: str | None,
        profile: str | None,
        aws_profile: str | None,
        api_url: str | None,
        tenant: str | None,
        as_json: bool,
        quiet: bool,
        verbose: bool,  # noqa: ARG001 # read where errors are shown
        **own: Any,
    ) -> Any:
        given = {"stack": stack, "region": region, "aws_profile": aws_profile, "api_url": api_url, "tenant": tenant}
        session = Session(given, profile, as_json=as_json, quiet=quiet)
        try:
            return command(session, **own)
        finally:
            session.talk.end()
            session.close()

    options = (
        click.option("--tenant", help="Whom it is for."),
        click.option("--json", "as_json", is_flag=True, help="JSON on stdout, and errors as JSON on stderr."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing on stderr but errors."),
        click.option("-v", "--verbose", is_flag=True, help="Say where an error is from."),
        click.option("--stack", help="The stack's name; the local one, or mediarelay-dev."),
        click.option("--region", help="Its region."),
        click.option("--profile", help="A profile of ~/.config/mediarelay/config.toml."),
        click.option("--aws-profile", help="A profile of AWS."),
        click.option("--api-url", help="Its API."),
    )
    decorated: Callable[..., Any] = run
    for option in reversed(options):
        decorated = option(decorated)
    return decorated
