"""`python -m tools.replay judge METRICS.jsonl [--thresholds JSON]` and `python -m tools.replay route LOG.jsonl`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from mediarelay.health.thresholds import ThresholdBook
from mediarelay.providers.listing import healthy_seconds
from tools.replay.decisions import replay
from tools.replay.judgements import judge_again, read_metrics

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def judge(
    metrics: Path, thresholds: Annotated[str, typer.Option(help="As HealthThresholds of the template.")] = "{}"
) -> None:
    """What people would have been told under these thresholds."""
    with metrics.open(encoding="utf-8") as lines:
        recorded = read_metrics(lines)
    for told in judge_again(recorded, ThresholdBook(healthy_seconds(), json.loads(thresholds))):
        at = datetime.fromtimestamp(told.notice.at, UTC).isoformat(timespec="seconds")
        typer.echo(f"{at} {told.provider} {told.notice.event}: {told.notice.status} ({told.reason})")


@app.command()
def route(log: Path) -> None:
    """Which recorded decisions come out differently now."""
    total = different = 0
    with log.open(encoding="utf-8") as lines:
        for decision in replay(lines):
            total += 1
            if decision.then != decision.now:
                different += 1
                typer.echo(f"{decision.request_id}: {' > '.join(decision.then)} is now {' > '.join(decision.now)}")
    typer.echo(f"{different} of {total} decisions differ")


if __name__ == "__main__":
    app()
