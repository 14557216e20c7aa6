"""The closing table, and the results on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import requests
from rich.console import Console
from rich.table import Table

from mediarelay.announce.contract import ResultEvent, ResultOutput
from tools.local.demo.scenario import Case

FETCH_SECONDS = 60


def save(found: Mapping[str, Sequence[ResultEvent]], folder: Path) -> dict[str, list[str]]:
    """Fetch every output through its presigned link; file names by event id."""
    folder.mkdir(parents=True, exist_ok=True)
    saved: dict[str, list[str]] = {}
    for name, events in found.items():
        for event in events:
            saved[event.event_id] = [
                _fetch(output, folder / _file_name(name, event, index, output))
                for index, output in enumerate(event.outputs)
            ]
    return saved


def table(cases: Sequence[Case], found: Mapping[str, Sequence[ResultEvent]], saved: Mapping[str, list[str]]) -> Table:
    """One row per result, in the order of the scenario."""
    grid = Table(box=None, header_style="bold", pad_edge=False, row_styles=["", "dim"])
    for heading, align in (
        ("request", "left"),
        ("result", "left"),
        ("provider", "left"),
        ("calls", "right"),
        ("rotations", "right"),
        ("ms", "right"),
        ("cost $", "right"),
        ("file", "left"),
    ):
        grid.add_column(heading, justify="right" if align == "right" else "left", no_wrap=heading != "file")
    for case in cases:
        for event in found[case.name]:
            grid.add_row(*_row(case, event, saved.get(event.event_id, [])))
    return grid


def show_stories(console: Console, cases: Sequence[Case], found: Mapping[str, Sequence[ResultEvent]]) -> None:
    """What was special, in words."""
    for case in cases:
        for event in found[case.name] if case.story else ():
            detail = event.error.message if event.error else f"{event.status} by {event.provider}"
            console.print(f"  [bold]{case.name}[/bold]: {case.story}. [dim]{detail}[/dim]", highlight=False)


def _row(case: Case, event: ResultEvent, files: Sequence[str]) -> list[str]:
    colour = {"succeeded": "green", "rejected": "yellow"}.get(event.status, "red")
    return [
        case.name,
        f"[{colour}]{event.status}[/{colour}]",
        event.provider or "-",
        str(len(event.attempts)),
        str(event.key_rotations),
        str(event.latency_ms if event.latency_ms is not None else "-"),
        f"{event.cost_usd:.4f}" if event.status == "succeeded" else "-",
        ", ".join(files) or (event.error.code if event.error else "-"),
    ]


def _fetch(output: ResultOutput, path: Path) -> str:
    with requests.get(output.url, timeout=FETCH_SECONDS) as answer:
        answer.raise_for_status()
        path.write_bytes(answer.content)
    return path.name


def _file_name(name: str, event: ResultEvent, index: int, output: ResultOutput) -> str:
    return f"{name}-{event.provider}-{index}{PurePosixPath(output.s3_uri).suffix}"
