"""`dlq` and `retry`: what could not be served, and what is asked for again."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final
from urllib.parse import quote

import click

from mediarelay_client.command.facts import seconds_of, short
from mediarelay_client.command.session import Session, table, with_session
from mediarelay_client.errors import InvalidRequest, NotFound

_TELL: Final = "tell the publisher; redriving won't help"
_LOG: Final = "read the dispatch log first"
_DO: Final = {
    **dict.fromkeys(("invalid_request", "unknown_kind", "not_json", "idempotency_conflict"), _TELL),
    "no_provider": "add keys, then redrive",
    **dict.fromkeys(("none", "worker_lost", "internal_error"), _LOG),
    **dict.fromkeys(("store_unavailable", "deferred_too_often"), "redrive, once what was away is back"),
}
_OTHER: Final = "look at a job of it first"
_AGE: Final = ((86_400, "d"), (3600, "h"), (60, "m"))
# The API moves so many a call.
_A_CALL: Final = 100
_SHOWN: Final = 4


@click.group(short_help="What could not be served.")
def dlq() -> None:
    """Dead letters: requests that were parked, by why."""


@dlq.command("ls", short_help="Each of them.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many are looked at.")
@with_session
def dlq_ls(session: Session, *, limit: int) -> int:
    """List dead letters, the oldest first.

    \b
      mediarelay dlq ls
      mediarelay dlq ls --limit 1000
      mediarelay dlq ls --json | jq -r 'select(.code=="no_provider").request_id'
    """
    found = session.relay.api.get("dlq", limit=limit)
    if session.as_json:
        for letter in found["letters"]:
            session.show(letter)
        return 0
    now = time.time()
    rows = [
        (each["request_id"], each["code"], _ago(now - each["published"]), each["message"]) for each in found["letters"]
    ]
    table(("REQUEST", "CODE", "AGE", "WHAT"), rows)
    _at_least(session, found)
    return 0


@dlq.command("why", short_help="By why they are there, with what to do.")
@click.argument("request_id", metavar="[ID]", required=False)
@click.option("--limit", type=click.IntRange(1, 1000), default=1000, show_default=True, help="How many are looked at.")
@with_session
def dlq_why(session: Session, *, request_id: str | None, limit: int) -> int:
    """Tell why requests are there, by class of failure, and what to do; or of one.

    \b
      mediarelay dlq why
      mediarelay dlq why order-17
      mediarelay dlq why --json
    """
    found, now = session.relay.api.get("dlq", limit=limit), time.time()
    if request_id is not None:
        return _why_one(session, found["letters"], request_id)
    if session.as_json:
        for each in found["classes"]:
            session.show({**each, "what_to_do": _DO.get(each["code"], _OTHER)})
        return 0
    named = {letter["code"]: letter["request_id"] for letter in reversed(found["letters"])}
    rows = []
    for each in found["classes"]:
        code, what = each["code"], _DO.get(each["code"], _OTHER)
        if what in (_LOG, _OTHER) and code in named:
            what = f"{what}: mediarelay dlq why {short(named[code])}"
        first = each["first"] or ("the function died five times over it" if code == "none" else "")
        rows.append(
            (f"({code})" if code == "none" else code, str(each["count"]), _ago(now - each["oldest"]), first, what)
        )
    table(("CODE", "COUNT", "OLDEST", "FIRST", "WHAT TO DO"), rows, right=("COUNT",))
    _at_least(session, found)
    return 0


def _why_one(session: Session, letters: list[dict[str, Any]], request_id: str) -> int:
    # As `why` shortens it, too.
    its = [each for each in letters if request_id in (each["request_id"], short(each["request_id"]))]
    if not its:
        hint = "mediarelay dlq ls"
        raise NotFound("not_found", f"no dead letter of request {request_id} is among those looked at", hint=hint)
    for each in its:
        if session.as_json:
            session.show(each)
            continue
        click.echo(
            f"{each['request_id']}  {each['code']}  {_ago(time.time() - each['published'])}  {each['message']}".rstrip()
        )
        click.echo(f"  {_DO.get(each['code'], _OTHER)}")
        click.echo(f"  mediarelay job {each['request_id']}")
    return 0


@dlq.command("redrive", short_help="Move a class of them back.")
@click.option("--code", help="Those with this code.")
@click.option("--provider", help="Those that name this provider among their own.")
@click.option("--older-than", metavar="SPAN", help="Those first published so long ago, such as 2h.")
@click.option("--limit", type=click.IntRange(min=1), help="How many are looked at; all when absent.")
@click.option("--renew", is_flag=True, help="Their deadlines begin anew.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be moved.")
@click.option("--reason", help="Why, for the audit.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@with_session
def dlq_redrive(
    session: Session,
    *,
    code: str | None,
    provider: str | None,
    older_than: str | None,
    limit: int | None,
    renew: bool,
    dry_run: bool,
    reason: str | None,
    yes: bool,
) -> int:
    """Move a class of dead letters back to the queue, under their own ids. What was paid for stays.

    \b
      mediarelay dlq redrive --code no_provider --dry-run
      mediarelay dlq redrive --code no_provider --reason "keys are there" --yes
      mediarelay dlq redrive --provider openai-tts --older-than 1h --reason "their outage is over"
    """
    if not dry_run and reason is None:
        raise InvalidRequest("invalid_request", "--reason: say why, as the audit does")
    order: dict[str, Any] = {"code": code, "provider": provider, "renew": renew, "reason": reason or "a look"}
    order["older_than_seconds"] = None if older_than is None else round(_span("--older-than", older_than))
    order = {name: value for name, value in order.items() if value is not None}
    if not dry_run and not yes and sys.stdin.isatty():
        seen = _redriven(session, order, limit, dry_run=True)
        if not click.confirm(f"  {_said(seen, dry_run=True)}. Go?", err=True):
            return 0
    done = _redriven(session, order, limit, dry_run=dry_run)
    if session.as_json:
        session.show(done)
    else:
        click.echo(f"  {_said(done, dry_run=dry_run)}")
    return 0


def _redriven(session: Session, order: dict[str, Any], limit: int | None, *, dry_run: bool) -> dict[str, Any]:
    """Move them, a call after the other, each once: what is still wrong brings them back while the others are moved.

    A dry run looks once, since what it looks at stays where it is.
    """
    whole: dict[str, Any] = {"dry_run": dry_run, "looked_at": 0, "moved": [], "paid_already": []}
    while True:
        left = _A_CALL if limit is None else min(_A_CALL, limit - whole["looked_at"])
        if left <= 0:
            return whole
        answer = session.relay.api.post("dlq/redrive", {**order, "limit": left, "dry_run": dry_run})
        whole["looked_at"] += answer["looked_at"]
        back = {*answer["moved"]}.intersection(whole["moved"])
        whole["moved"] += [each for each in answer["moved"] if each not in back]
        whole["paid_already"] = sorted({*whole["paid_already"], *answer["paid_already"]})
        if back:
            session.talk.line(f"  {len(back):,} came back already: mediarelay dlq why")
        if dry_run or len(back) == len(answer["moved"]):
            return whole


def _said(done: dict[str, Any], *, dry_run: bool) -> str:
    moved, paid = done["moved"], len(done["paid_already"])
    named = ", ".join(short(each) for each in moved[:_SHOWN]) + (", …" if len(moved) > _SHOWN else "")
    first = f"{'would move' if dry_run else 'moved'} {len(moved):,} of {done['looked_at']:,}"
    stay = f"{paid:,} of them have been paid for" if not paid else f"{paid:,} stay: they have been paid for"
    return " · ".join([f"{first}: {named}" if moved else first, stay, *(["nothing was changed"] if dry_run else [])])


@dlq.command("drop", short_help="Delete one for good.")
@click.argument("request_id", metavar="ID")
@click.option("--reason", required=True, help="Why, for the audit.")
@with_session
def dlq_drop(session: Session, *, request_id: str, reason: str) -> int:
    """Delete the dead letters of a request for good. Its record stays.

    \b
      mediarelay dlq drop order-17 --reason "told the publisher"
      mediarelay dlq why order-17
      mediarelay dlq ls
    """
    session.relay.api.delete(f"dlq/{quote(request_id, safe='')}", tenant=session.tenant, reason=reason)
    session.talk.line(f"  {request_id} is gone from the dead letters")
    return 0


@click.command(short_help="Ask for the same again, as a new job.")
@click.argument("request_id", metavar="ID")
@click.option("--id", "new_id", help="The new job's id.")
@click.option("--anyway", is_flag=True, help="Even while it is under way: both are bought.")
@with_session
def retry(session: Session, *, request_id: str, new_id: str | None, anyway: bool) -> int:
    """Publish the request of a job once more, under a new id: it is bought again. Needs KeepRequests=full.

    \b
      mediarelay retry order-17
      mediarelay retry order-17 --id order-17-again
      mediarelay retry order-17 --anyway
    """
    if new_id == request_id:
        raise InvalidRequest("invalid_request", "--id: a new job needs an id of its own")
    records = session.relay.job(request_id, tenant=session.tenant).records()
    going = next((record.status for record in records if not record.settled), None)
    if going is not None and not anyway:
        hint = f"mediarelay cancel {request_id}, or --anyway"
        raise InvalidRequest("under_way", f"{request_id} has not ended ({going}), so both would be bought", hint=hint)
    kept = next((record.request for record in records if record.request), None)
    if kept is None:
        hint = "deploy with KeepRequests=full, or publish it from where it came from"
        raise InvalidRequest("request_not_kept", f"the record of {request_id} does not have its request", hint=hint)
    body = json.loads(kept) | ({"request_id": new_id} if new_id else {})
    job = session.relay.submit(body)
    if session.as_json:
        session.show({"request_id": job.request_id, "again": request_id})
    else:
        click.echo(job.request_id)
        session.talk.line(f"  see it: mediarelay job {job.request_id} --watch")
    return 0


def _span(option: str, text: str) -> float:
    try:
        return seconds_of(text)
    except ValueError as error:
        raise InvalidRequest("invalid_request", f"{option}: {error}") from error


def _ago(seconds: float) -> str:
    for each, unit in _AGE:
        if seconds >= each:
            return f"{seconds / each:.0f} {unit} ago"
    return f"{max(0.0, seconds):.0f} s ago"


def _at_least(session: Session, found: dict[str, Any]) -> None:
    if found["at_least"]:
        session.talk.line(f"  at least: {found['looked_at']:,} were looked at")
