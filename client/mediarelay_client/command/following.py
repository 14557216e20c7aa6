"""`job`, `jobs`, `cancel` and `watch`: what became of requests."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from mediarelay_client.command.facts import money, seconds_of, short, span
from mediarelay_client.command.making import deliver, follow
from mediarelay_client.command.session import Session, table, with_session
from mediarelay_client.errors import InvalidRequest

INTERRUPTED: Final = 130
_LASTING: Final = frozenset({"video", "audio"})
KINDS: Final = click.Choice(["tts", "image", "video", "audio"])
STATUSES: Final = click.Choice(
    ["queued", "running", "deferred", "polling", "succeeded", "failed", "rejected", "expired"]
)


@click.command(short_help="What became of a request.")
@click.argument("request_id", metavar="ID")
@click.option("--watch", "watched", is_flag=True, help="Wait for its end.")
@click.option("--save", type=click.Path(path_type=Path), metavar="DIR", help="Save its files there.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Wait no longer; the job goes on (exit 6).")
@with_session
def job(session: Session, *, request_id: str, watched: bool, save: Path | None, timeout: float | None) -> int:
    """Tell what became of a request, as far as its record does.

    \b
      mediarelay job order-17
      mediarelay job order-17 --watch
      mediarelay job order-17 --save out/
    """
    began = time.monotonic()
    handle = session.relay.job(request_id, tenant=session.tenant)
    records = handle.records()
    ended = all(record.settled for record in records)
    if watched and not ended:
        try:
            lasting = any(record.kind in _LASTING for record in records)
            follow(session, handle, began, timeout=timeout, lasting=lasting)
        except KeyboardInterrupt:
            session.talk.line(f"  the job goes on. See it: mediarelay job {request_id} --watch")
            return INTERRUPTED
        records, ended = handle.records(), True
    if not session.as_json:
        for record in records:
            for line in timeline(record):
                click.echo(line)
    if not ended:
        return _standing(session, records)
    results = handle.branches(timeout)
    if save is None:
        return _told(session, results)
    return deliver(session, results, 0.0, output=str(save / request_id), stem=request_id)


def _told(session: Session, results: Sequence[Any]) -> int:
    from mediarelay_client.errors import failure  # noqa: PLC0415 # known by now
    from mediarelay_client.result import told  # noqa: PLC0415 # as above

    for result in results:
        if session.as_json:
            session.show(told(result.event))
            continue
        for file in result.outputs:
            click.echo(f"{file.s3_uri}   {file.content_type}   {money(result.cost_usd)}")
    failed = [result for result in results if not result.ok]
    if failed and len(failed) == len(results):
        raise failure(failed[0].event)
    return 1 if failed else 0


def _standing(session: Session, records: Sequence[Any]) -> int:
    for record in records:
        if session.as_json:
            session.show(record.model_dump(mode="json", exclude_none=True))
    return 0


def timeline(record: Any) -> Iterator[str]:
    """Yield what happened to a job, each with the seconds since it was published."""
    branch = record.request_id.partition("#")[2]
    if branch:
        yield f"{branch}:"
    yield _line(0.0, "published")
    if record.queue_ms is not None:
        yield _line(record.queue_ms / 1000, "claimed")
    for attempt in record.attempts:
        what = attempt.outcome if attempt.status in (None, 200) else str(attempt.status)
        took = span(attempt.latency_ms / 1000)
        yield f"  {'':>7}  {attempt.provider}: {what} with key {short(attempt.key_id)} ({took})"
    if record.settled_at:
        bytes_ = sum(output.bytes for output in record.outputs)
        stored = f"{record.status}, {len(record.outputs)} files, {bytes_:,} bytes" if bytes_ else record.status
        yield _line((record.settled_at - record.received_at) / 1000, stored)
    else:
        yield _line((time.time() * 1000 - record.received_at) / 1000, f"{record.status} now")


def _line(seconds: float, what: str) -> str:
    return f"  {span(seconds):>7}  {what}"


@click.command(short_help="The newest jobs.")
@click.option("--since", default="1h", show_default=True, help="How far back, such as 45m or 2h.")
@click.option("--status", type=STATUSES)
@click.option("--kind", type=KINDS)
@click.option("--provider")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@with_session
def jobs(session: Session, *, since: str, limit: int, **wanted: str | None) -> int:
    """List the newest jobs.

    \b
      mediarelay jobs
      mediarelay jobs --status failed --since 2h
      mediarelay jobs --kind video --json
    """
    try:
        begin = round((time.time() - seconds_of(since)) * 1000)
    except ValueError as error:
        raise InvalidRequest("invalid_request", f"--since: {error}") from error
    rows = []
    for item in _pages(session, limit, since=begin, tenant=session.tenant, **wanted):
        if session.as_json:
            session.show(item)
        rows.append(_row(item))
    if not session.as_json:
        if not rows:
            session.talk.line("no jobs; mediarelay say hello makes one")
        table(("JOB", "KIND", "STATUS", "PROVIDER", "TENANT", "AGE", "COST", "ERROR"), rows, right=("AGE", "COST"))
    return 0


def _pages(session: Session, limit: int, **query: Any) -> Iterator[dict[str, Any]]:
    """Yield so many items, a page after the other."""
    cursor, left = None, limit
    while left > 0:
        page = session.relay.api.get("jobs", limit=min(left, 100), cursor=cursor, **query)
        items = page["items"][:left]
        left -= len(items)
        yield from items
        cursor = page.get("next_cursor")
        if not cursor:
            return


def _row(item: dict[str, Any]) -> tuple[str, ...]:
    age = span(max(0.0, time.time() - item["received_at"] / 1000))
    named = [str(item.get(name) or "") for name in ("request_id", "kind", "status", "provider", "tenant")]
    return (*named, age, money(item["cost_usd"]) if item.get("cost_usd") else "", item.get("error_code") or "")


@click.command(short_help="End jobs.")
@click.argument("request_ids", metavar="ID…", nargs=-1, required=True)
@with_session
def cancel(session: Session, *, request_ids: Sequence[str]) -> int:
    """Ask for the end of jobs that wait. What a vendor has been paid for goes on.

    \b
      mediarelay cancel order-17
      mediarelay cancel order-17 order-18
      mediarelay cancel order-17 --tenant acme
    """
    for request_id in request_ids:
        session.relay.cancel(request_id, session.tenant)
        if session.as_json:
            session.show({"request_id": request_id, "asked": "cancel"})
        else:
            session.talk.line(f"  asked for the end of {request_id}: mediarelay job {request_id}")
    return 0


@click.command(short_help="Everybody's results, as they come.")
@click.option("--kind", type=KINDS, multiple=True)
@click.option("--status", type=STATUSES, multiple=True)
@click.option("--provider", multiple=True)
@click.option("--count", type=int, help="End after so many.")
@with_session
def watch(session: Session, *, count: int | None, **wanted: Sequence[str]) -> int:
    """Show everybody's results as they come, by a subscription of its own.

    \b
      mediarelay watch
      mediarelay watch --status failed --status rejected
      mediarelay watch --json | jq .request_id
    """
    from contextlib import closing  # noqa: PLC0415 # not for help

    session.talk.line("· watching; SNS may take up to 15 minutes until the first results come. Ctrl-C ends it")
    seen = 0
    with closing(session.relay.events(tenant=session.tenant, **wanted)) as events:
        for event in events:
            if session.as_json:
                session.show(event.model_dump(mode="json"))
            else:
                error = f"{event.error.code}: {event.error.message}" if event.error else ""
                at = time.strftime("%H:%M:%S", time.localtime(event.settled_at / 1000))
                cells = (at, event.request_id, event.kind, event.status, event.provider, money(event.cost_usd), error)
                click.echo("  ".join(str(cell) for cell in cells if cell))
            seen += 1
            if count is not None and seen >= count:
                return 0
    return 0
