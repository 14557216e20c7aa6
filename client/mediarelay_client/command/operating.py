"""`override`: what operators force."""

from __future__ import annotations

import getpass
import time
from typing import Any
from urllib.parse import quote

import click

from mediarelay_client.command.facts import seconds_of, span
from mediarelay_client.command.session import Session, table, with_session
from mediarelay_client.errors import InvalidRequest


@click.group(short_help="Force a provider or disable a key, for a while.")
def override() -> None:
    """What operators force: provider:NAME healthy or down, key:VENDOR:ID disabled."""


@override.command("ls", short_help="What is forced now.")
@with_session
def override_ls(session: Session) -> int:
    """Tell what is forced now, and until when.

    \b
      mediarelay override ls
      mediarelay override ls --json
      mediarelay override ls | cut -f 1
    """
    found: list[dict[str, Any]] = session.relay.api.get("overrides")["overrides"]
    if session.as_json:
        for each in found:
            session.show(each)
        return 0
    rows = [
        (
            each["subject"],
            each["force"],
            span(max(0.0, each["expires_at"] - time.time())),
            each["author"],
            each["reason"],
        )
        for each in found
    ]
    table(("SUBJECT", "FORCED", "FOR", "BY", "WHY"), rows, right=("FOR",))
    return 0


@override.command("set", short_help="Force something.")
@click.argument("subject")
@click.option("--force", type=click.Choice(["healthy", "down", "disabled"]), help="down, or disabled for a key.")
@click.option("--reason", required=True, help="Why.")
@click.option("--for", "span_", default="2h", show_default=True, help="How long, such as 30m, 2h or 7d.")
@with_session
def override_set(session: Session, *, subject: str, force: str | None, reason: str, span_: str) -> int:
    """Force a provider healthy or down, or disable a key. It ends by itself.

    \b
      mediarelay override set provider:openai-tts --reason "their status page" --for 2h
      mediarelay override set provider:openai-tts --force healthy --reason "tried by hand"
      mediarelay override set key:fal:3f1c9a000000 --reason leaked --for 7d
    """
    try:
        seconds = round(seconds_of(span_))
    except ValueError as error:
        raise InvalidRequest("invalid_request", f"--for: {error}") from error
    order = {
        "subject": subject,
        "force": force or ("disabled" if subject.startswith("key:") else "down"),
        "author": getpass.getuser(),
        "reason": reason,
        "expires_in_seconds": seconds,
    }
    told = session.relay.api.post("overrides", order)
    if session.as_json:
        session.show(told)
    else:
        session.talk.line(f"  {told['subject']} is {told['force']} for {span(seconds)}")
    return 0


@override.command("clear", short_help="Take it back.")
@click.argument("subject")
@with_session
def override_clear(session: Session, *, subject: str) -> int:
    """End an override before its time.

    \b
      mediarelay override clear provider:openai-tts
      mediarelay override clear key:fal:3f1c9a000000
      mediarelay override ls
    """
    session.relay.api.delete(f"overrides/{quote(subject, safe=':')}")
    session.talk.line(f"  nothing is forced on {subject} any more")
    return 0
