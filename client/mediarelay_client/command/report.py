"""What came of a batch: a page for people and a table for programs."""

from __future__ import annotations

import csv
import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from mediarelay_client.command.facts import money, span

COLUMNS: Final = ("line", "request_id", "kind", "status", "provider", "model", "cost_usd", "seconds", "file", "error")
STYLE: Final = (
    "body{font:15px system-ui;margin:2rem;color:#222}table{border-collapse:collapse;width:100%}"
    "td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:left}.failed td{background:#fdeaea}"
)


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def write_html(path: Path, title: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the page; everything a publisher wrote is text."""
    found = list(rows)
    done = [row for row in found if row["status"] == "succeeded"]
    cost = sum(float(row["cost_usd"] or 0) for row in found)
    head = "".join(f"<th scope=col>{html.escape(column)}</th>" for column in COLUMNS)
    body = "\n".join(_row(row) for row in found)
    path.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<h1>{html.escape(title)}</h1>"
        f"<p>{len(done):,} succeeded, {len(found) - len(done):,} failed; {money(cost)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></html>\n",
        encoding="utf-8",
    )


def _row(row: Mapping[str, Any]) -> str:
    cells = "".join(f"<td>{_cell(name, row.get(name))}</td>" for name in COLUMNS)
    return f"<tr{'' if row['status'] == 'succeeded' else ' class=failed'}>{cells}</tr>"


def _cell(name: str, value: Any) -> str:
    if value in (None, ""):
        return ""
    match name:
        case "cost_usd":
            return money(float(value))
        case "seconds":
            return span(float(value))
        case "file":
            return f'<a href="{html.escape(str(value), quote=True)}">{html.escape(str(value))}</a>'
        case _:
            return html.escape(str(value))
