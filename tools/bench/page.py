"""docs/performance.md: its results stand between markers, and only the benches write there.

    <!-- bench: NAME -->
    …
    <!-- end -->

Prose around the markers is written by hand. Any bench may have its place in the page; one without a place has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tools.bench.result import FOLDER
from tools.local.project import ROOT

PAGE: Final = ROOT / "docs" / "performance.md"
_HEAD: Final = "| date | ours | reference | ratio | bar | holds |\n| --- | ---: | ---: | ---: | ---: | --- |"
_BLOCK: Final = re.compile(r"<!-- bench: (?P<name>[a-z0-9-]+) -->\n(?P<body>.*?)\n?<!-- end -->", re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """What stands between the markers, by name."""
    return {found["name"]: found["body"] for found in _BLOCK.finditer(page)}


def filled(page: str, contents: Mapping[str, str]) -> str:
    """The page with these blocks replaced; the others stay."""

    def block(found: re.Match[str]) -> str:
        body = contents.get(found["name"], found["body"])
        return f"<!-- bench: {found['name']} -->\n{body}\n<!-- end -->"

    return _BLOCK.sub(block, page)


def result_block(facts: Mapping[str, Any]) -> str:
    """The block of one result, from its JSON object."""
    bar = f"{'≥' if facts.get('more_is_better') else '≤'} {facts['bar']:g}"
    ours, reference = f"{facts['value']:.4g}", f"{facts['reference_value']:.4g}"
    holds = "yes" if facts["holds"] else "**no**"
    row = f"| {facts['date']} | {ours} | {reference} | {facts['ratio']:.3f} | {bar} | {holds} |"
    words = f"`{facts['name']}`, unit: {facts['unit']}. Reference: {facts['reference']}. Machine: {facts['machine']}."
    return f"{_HEAD}\n{row}\n\n{words}"


def write(tables: Mapping[str, str], page: Path = PAGE, folder: Path = FOLDER) -> None:
    """Put the newest results, and tables made by other means, into the page."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    ours = {facts["name"]: result_block(facts) for facts in results if "machine" in facts}
    page.write_text(filled(page.read_text(encoding="utf-8"), {**ours, **tables}), encoding="utf-8")
