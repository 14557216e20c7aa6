"""`batch`: thousands of requests from a file, resumable after anything."""

from __future__ import annotations

import secrets
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mediarelay_client.command.facts import money, span
from mediarelay_client.command.notes import Line, Notes, lines_of
from mediarelay_client.command.session import Session, with_session
from mediarelay_client.errors import InvalidRequest, RelayError

if TYPE_CHECKING:
    from mediarelay_client.result import Result

SAVERS: Final = 8
PILOTS: Final = 10
SHOWN_EACH: Final = 0.2
SOME_FAILED: Final = 5
INTERRUPTED: Final = 130
REFUSED_SHOWN: Final = 5


@click.command(short_help="Publish a file of requests, and bring back what comes of each.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Where the files go, and the report.")
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE", help="The report, .html or .csv.")
@click.option(
    "--concurrency", type=click.IntRange(1), default=1000, show_default=True, help="How many are open at once."
)
@click.option("--max-cost", type=click.FloatRange(0), metavar="USD", help="Publish no more once it may cost so much.")
@click.option("--dry-run", is_flag=True, help="Check the file, and publish nothing.")
@click.option("--again", is_flag=True, help="All of it once more, as new jobs, to be paid for again.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@with_session
def batch(
    session: Session,
    *,
    file: Path,
    out: Path | None,
    report: Path | None,
    concurrency: int,
    max_cost: float | None,
    dry_run: bool,
    again: bool,
    yes: bool,
) -> int:
    """Publish a file of requests, JSON lines or CSV, and bring back what comes of each.

    Run again it goes on: a line is the same job whatever was killed, and nothing is bought twice. A line that has
    ended is not asked again.

    \b
      mediarelay batch chapter.jsonl --out out/
      mediarelay batch chapter.csv --dry-run
      mediarelay batch chapter.jsonl --out out/ --max-cost 5 --yes
    """
    notes = Notes.read(file.with_name(f"{file.name}.run"))
    if again:
        notes.salt = secrets.token_hex(4)
    lines = lines_of(file, session.tenant if not dry_run else None, notes.salt)
    if dry_run:
        return _checked(session, file, lines)
    if again:
        notes.add({"salt": notes.salt})
    run = Run(session, lines, notes, out, concurrency, max_cost)
    try:
        if not run.begin(yes=yes, name=file.name):
            return 1
        run.work()
    except KeyboardInterrupt:
        session.talk.line("")
        session.talk.line(f"stopped: everything published goes on. Again, to go on: {_again(file, out)}")
        return INTERRUPTED
    finally:
        notes.close()
    return run.summary(out, report, file.name)


def _again(file: Path, out: Path | None) -> str:
    return f"mediarelay batch {file}{f' --out {out}' if out else ''}"


def _checked(session: Session, file: Path, lines: Sequence[Line]) -> int:
    """Say what of the file the queue would refuse."""
    from mediarelay_client.request.asking import checked  # noqa: PLC0415 # not for help

    refused = []
    for line in lines:
        try:
            checked(line.body)
        except InvalidRequest as error:
            refused.append({"line": line.number, "code": error.code, "message": error.message})
    kinds = Counter(str(line.body.get("kind")) for line in lines)
    if session.as_json:
        session.show({"requests": len(lines), "kinds": kinds, "refused": refused})
    else:
        what = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
        click.echo(f"{len(lines):,} requests ({what}), {len(refused):,} of them refused; nothing was published")
        for each in refused[:REFUSED_SHOWN]:
            click.echo(f"  {file}:{each['line']}: {each['message']}")
    return SOME_FAILED if refused else 0


class Run:
    """One run of a batch."""

    def __init__(
        self,
        session: Session,
        lines: Sequence[Line],
        notes: Notes,
        out: Path | None,
        concurrency: int,
        max_cost: float | None,
    ) -> None:
        self._session = session
        self._notes = notes
        self._out = out
        self._concurrency = concurrency
        self._max_cost = max_cost
        self._lines = {line.request_id: line for line in lines}
        self._began = self._shown_at = time.monotonic()
        self._published = 0
        self._spent = 0.0
        self._dearest: dict[str, float] = {}
        self._open: dict[str, str] = {}
        self._stopped_by_cost = False
        self._saving: list[Future[None]] = []
        self._resumed: list[Line] = []
        self._fresh: list[Line] = []

    def begin(self, *, yes: bool, name: str) -> bool:
        """Find out what is left to do, and ask whether to go on. Returns whether to."""
        self._notes.settled = {key: note for key, note in self._notes.settled.items() if key in self._lines}
        left = [line for line in self._lines.values() if not self._ended(line)]
        self._spent = sum(
            float(note["cost_usd"]) for key, note in self._notes.settled.items() if self._ended(self._lines[key])
        )
        known = self._known(left)
        self._resumed = [line for line in left if line.request_id in known]
        self._fresh = [line for line in left if line.request_id not in known]
        if known or self._notes.settled:
            self._session.talk.line(
                f"  resuming {self._notes.path.name}: {len(self._notes.settled):,} settled, "
                f"{len(self._resumed):,} published and open, {len(self._fresh):,} to publish"
            )
        elif sys.stdin.isatty() and sys.stderr.isatty() and not yes:
            most = f" (at most {money(self._max_cost)})" if self._max_cost is not None else ""
            return click.confirm(f"  {len(self._fresh):,} requests of {name}{most}. Go?", err=True)
        return True

    def _known(self, left: Sequence[Line]) -> set[str]:
        """Return which of the lines have jobs: all are asked for, since notes may be lost.

        Without the API nobody knows: what an earlier run published would be waited for in vain.
        """
        known: set[str] = set()
        by_tenant: dict[str | None, list[str]] = {}
        for line in left:
            by_tenant.setdefault(line.body.get("tenant"), []).append(line.request_id)
        for tenant, ids in by_tenant.items():
            known |= self._session.relay.api.lookup(ids, tenant).keys()
        return known

    def _ended(self, line: Line) -> bool:
        """Tell whether nothing is left to do for a line: a file that was to be saved is there."""
        note = self._notes.settled.get(line.request_id)
        if note is None:
            return False
        return self._out is None or note["status"] != "succeeded" or (self._out / str(note.get("file"))).is_file()

    def work(self) -> None:
        """Publish, wait, save."""
        if self._out is not None:
            self._out.mkdir(parents=True, exist_ok=True)
        relay = self._session.relay
        opened = [relay.job(line.request_id, tenant=line.body.get("tenant")) for line in self._resumed]
        left = deque(self._fresh)
        self._open |= {line.request_id: str(line.body.get("kind")) for line in self._resumed}
        with ThreadPoolExecutor(SAVERS) as savers, _interrupted_once():
            while opened or left:
                before = self._published
                for results in relay.ended(self._bodies(left), in_flight=self._concurrency, opened=opened):
                    self._settled(results, savers)
                if not opened and self._published == before:
                    self._stopped_by_cost = True
                    break
                opened = []
            for saving in self._saving:
                saving.result()
        self._show(last=True)

    def _bodies(self, left: deque[Line]) -> Iterator[dict[str, Any]]:
        """Take lines as long as what is open, at the price of the dearest so far, leaves money for one more."""
        while left and self._affordable(str(left[0].body.get("kind"))):
            line = left.popleft()
            self._published += 1
            self._open[line.request_id] = str(line.body.get("kind"))
            yield line.body

    def _affordable(self, kind: str) -> bool:
        """Tell whether one more may be published: what is open counts as the dearest of its kind so far."""
        if self._max_cost is None:
            return True
        reserved = sum(self._dearest.get(each, 0.0) for each in self._open.values())
        if kind not in self._dearest:
            return self._spent < self._max_cost and sum(each == kind for each in self._open.values()) < PILOTS
        return self._spent + reserved + self._dearest[kind] <= self._max_cost

    def _settled(self, results: Sequence[Result], savers: ThreadPoolExecutor) -> None:
        """Count what a line came to, with strategy all the sum of its providers, and have its files saved."""
        result = next((result for result in results if result.ok), results[0])
        event = result.event
        line = self._lines.get(event.request_id)
        if line is None:
            return
        kind = self._open.pop(event.request_id, str(line.body.get("kind")))
        cost = sum(result.cost_usd for result in results)
        self._spent += cost
        if cost:  # what failed, or was answered from what was made before, tells no price
            self._dearest[kind] = max(self._dearest.get(kind, 0.0), cost)
        files = {
            f"{line.name}{_branch(result, results)}.{result.outputs[0].ending}": result
            for result in results
            if self._out is not None and result.outputs
        }
        errors = [f"{error.code}: {error.message}" for each in results if (error := each.event.error)]
        seconds = ((event.queue_ms or 0) + (event.latency_ms or 0)) / 1000
        note = {
            "settled": event.request_id,
            "line": line.number,
            "kind": event.kind,
            "status": event.status,
            "provider": ", ".join(each.event.provider for each in results if each.event.provider) or None,
            "model": ", ".join(each.event.model for each in results if each.event.model) or None,
            "cost_usd": cost,
            "seconds": seconds,
            "error": "; ".join(errors) or None,
            "file": next(iter(files), None),
        }
        if self._out is not None and files:
            self._saving.append(savers.submit(self._saved, self._out, files, note))
        else:
            self._notes.add(note)
        self._show()

    def _saved(self, out: Path, files: dict[str, Result], note: dict[str, Any]) -> None:
        """Save a line's files, that of the note last, and note it only then: what was not saved is fetched later."""
        try:
            for name in reversed(files):
                files[name].save(out / name)
        except RelayError as error:
            note |= {"file": None, "error": f"{error.code}: {error.message}"}
        self._notes.add(note)

    def _show(self, *, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self._shown_at < SHOWN_EACH:
            return
        self._shown_at = now
        ended = list(self._notes.settled.values())
        done = sum(note["status"] == "succeeded" for note in ended)
        failed = len(ended) - done
        passed = now - self._began
        waiting = len(self._lines) - len(ended) - len(self._open)
        left = passed / len(ended) * (len(self._lines) - len(ended)) if ended else 0.0
        spent = sum(float(note["cost_usd"]) for note in ended)
        about = f", about {span(left)} left" if left else ""
        self._session.talk.progress(
            f"{done:,} done · {failed:,} failed · {max(0, waiting):,} waiting · {len(self._open):,} at work · "
            f"{span(passed)}{about} · {money(spent)}",
            whole=last,
        )
        if last:
            self._session.talk.end()

    def summary(self, out: Path | None, report: Path | None, name: str) -> int:
        """Tell what came of it, and write the report. Returns the exit status."""
        from mediarelay_client.command.report import write_csv, write_html  # noqa: PLC0415 # at the end

        rows = sorted(
            ({"request_id": key, **note} for key, note in self._notes.settled.items()), key=lambda row: int(row["line"])
        )
        done = [row for row in rows if row["status"] == "succeeded"]
        failed, left = len(rows) - len(done), len(self._lines) - len(rows)
        cost = sum(float(row["cost_usd"]) for row in rows)
        pages = [report] if report else [out / "report.html", out / "report.csv"] if out else []
        for page in pages:
            if page.suffix == ".csv":
                write_csv(page, rows)
            else:
                write_html(page, name, rows)
        summary: dict[str, Any] = {"requests": len(self._lines), "succeeded": len(done), "failed": failed, "left": left}
        summary |= {"cost_usd": round(cost, 6), "published": self._published, "reports": [str(page) for page in pages]}
        if self._session.as_json:
            self._session.show(summary)
        else:
            told = [f"{len(done):,} succeeded", f"{failed:,} failed", *([f"{left:,} not published"] if left else [])]
            told += [money(cost), *([f"{out}/"] if out else [])]
            where = f"   report: {', '.join(map(str, pages))}" if pages else ""
            click.echo(f"  {'   '.join(told)}{where}")
        if self._stopped_by_cost:
            self._session.talk.line(f"  --max-cost {self._max_cost:g} ended it; run it again with more to go on")
        return SOME_FAILED if failed or left else 0


def _branch(result: Result, results: Sequence[Result]) -> str:
    """Return what tells a provider's file from the others' of the same line."""
    return f"-{result.event.job_id.partition('#')[2]}" if len(results) > 1 else ""


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """Have SIGTERM end a run as Ctrl-C does: notes are written, queues deleted."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
