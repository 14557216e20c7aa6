"""`callbacks` and `events`: who was told how jobs ended, and telling it once more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import click

from mediarelay_client.command.facts import seconds_of, span
from mediarelay_client.command.session import Session, table, with_session
from mediarelay_client.errors import InvalidRequest

# The API lists so many a page, and looks up as many.
_A_PAGE: Final = 100
_WHY: Final = {
    "callback_not_allowed": "its host is not one of CallbackHosts any more",
    "no_secret": "CallbackSecretsName has none for its host",
    "forbidden_address": "its name leads to an address that is not public",
    "refused": "it answered, and not with 2xx",
}


@click.group(short_help="Publishers' servers that are told how jobs end.")
def callbacks() -> None:
    """Callbacks: what has failed of them, why, and trying it anew."""


@callbacks.command("ls", short_help="Those of which something has failed.")
@click.option("--since", default="1d", show_default=True, help="Of jobs of that time, such as 1h or 2d.")
@click.option("--failed", is_flag=True, help="Only those that were given up.")
@with_session
def callbacks_ls(session: Session, *, since: str, failed: bool) -> int:
    """List callbacks of which a try has failed, the newest job first.

    \b
      mediarelay callbacks ls
      mediarelay callbacks ls --since 2d --failed
      mediarelay callbacks ls --failed --json | jq -r .request_id
    """
    rows = []
    for job in _with_callback(session, since):
        tries = job["callback"]
        if failed and tries["state"] not in ("failed", "gone"):
            continue
        if session.as_json:
            session.show({"request_id": job["request_id"], "url": job.get("callback_url"), **tries})
            continue
        rows.append((job["request_id"], tries["state"], str(tries["tries"]), _last(tries), _next(tries)))
    if not session.as_json:
        table(("JOB", "STATE", "TRIES", "LAST", "NEXT"), rows, right=("TRIES",))
    return 0


@callbacks.command("why", short_help="What has come of a job's.")
@click.argument("request_id")
@with_session
def callbacks_why(session: Session, *, request_id: str) -> int:
    """Tell what has come of a job's callback, and why it failed.

    \b
      mediarelay callbacks why order-17
      mediarelay callbacks why order-17 --tenant acme
      mediarelay callbacks why order-17 --json
    """
    found = session.relay.api.get(f"jobs/{quote(request_id, safe='')}", tenant=session.tenant)["jobs"]
    asked = [job for job in found if job.get("callback_url")]
    if not asked:
        session.talk.line(f"  {request_id} asked for no callback")
    for job in asked:
        tries = job.get("callback")
        if session.as_json:
            session.show({"request_id": job["request_id"], "url": job["callback_url"], **(tries or {})})
            continue
        told = "nothing has failed" if tries is None else f"{tries['state']} after {tries['tries']} tries"
        click.echo(f"{job['request_id']}: {told}")
        click.echo(f"  {job['callback_url']}")
        if tries is not None:
            click.echo(f"  last: {_last(tries)}; {_WHY.get(tries.get('last_fault') or '', 'see docs/callbacks.md')}")
            click.echo(f"  next: {_next(tries)}")
    return 0


@callbacks.command("replay", short_help="Try it anew.")
@click.argument("request_ids", nargs=-1)
@click.option("--since", help="All that were given up, of jobs of that time; such as 2d.")
@click.option("--reason", required=True, help="Why, for the audit.")
@with_session
def callbacks_replay(session: Session, *, request_ids: tuple[str, ...], since: str | None, reason: str) -> int:
    """Call publishers' servers anew, under the ids that they know.

    \b
      mediarelay callbacks replay order-17 --reason "their server is back"
      mediarelay callbacks replay order-17 order-18 --tenant acme --reason asked
      mediarelay callbacks replay --since 2d --reason "their server is back"
    """
    if bool(request_ids) == bool(since):
        raise InvalidRequest("invalid_request", "name jobs, or say --since", hint="mediarelay callbacks replay --help")
    tenant = session.tenant
    wanted = [(request_id, tenant) for request_id in request_ids]
    if since:
        given_up = [job for job in _with_callback(session, since) if job["callback"]["state"] in ("failed", "gone")]
        whole = [(job.get("published_id") or job["request_id"], job.get("tenant")) for job in given_up]
        wanted = [each for each in dict.fromkeys(whole) if tenant in (None, each[1])]
    for request_id, whose in wanted:
        _tell(session, request_id, whose, "callback", reason)
    session.talk.line(f"  {len(wanted)} are called anew")
    return 0


@click.group(short_help="How jobs ended, for those who subscribe.")
def events() -> None:
    """Result events: telling one once more."""


@events.command("resend", short_help="Tell subscribers once more.")
@click.argument("request_ids", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why, for the audit.")
@with_session
def events_resend(session: Session, *, request_ids: tuple[str, ...], reason: str) -> int:
    """Publish how jobs ended once more, under the event ids that they had, with links that are signed anew.

    \b
      mediarelay events resend order-17 --reason "the subscriber was away"
      mediarelay events resend order-17 order-18 --tenant acme --reason asked
      mediarelay events resend order-17 --reason "its link has ended" --json
    """
    for request_id in request_ids:
        _tell(session, request_id, session.tenant, "subscribers", reason)
    return 0


def _tell(session: Session, request_id: str, tenant: str | None, whom: str, reason: str) -> None:
    whose = f"?tenant={quote(tenant, safe='')}" if tenant else ""
    route = f"jobs/{quote(request_id, safe='')}/tell{whose}"
    told = session.relay.api.post(route, {"whom": whom, "reason": reason})
    if session.as_json:
        session.show({"request_id": request_id, **told})
    else:
        session.talk.line(f"  {request_id}: {', '.join(told['event_ids'])}")


def _with_callback(session: Session, since: str) -> Iterator[dict[str, Any]]:
    """Yield the jobs of a time of whose callback something is noted."""
    try:
        begin = round((time.time() - seconds_of(since)) * 1000)
    except ValueError as error:
        raise InvalidRequest("invalid_request", f"--since: {error}") from error
    cursor = None
    while True:
        page = session.relay.api.get("jobs", since=begin, limit=_A_PAGE, cursor=cursor)
        names = [each["job"] for each in page["items"] if each.get("settled_at")]
        if names:
            yield from (
                job for job in session.relay.api.post("jobs/lookup", {"ids": names})["jobs"] if job.get("callback")
            )
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _last(tries: dict[str, Any]) -> str:
    status = tries.get("last_status")
    return f"HTTP {status}" if status else str(tries.get("last_fault") or "")


def _next(tries: dict[str, Any]) -> str:
    at = tries.get("next_at")
    return f"in {span(max(0.0, at / 1000 - time.time()))}" if at else "never"
