"""What the demo made, as one page: every file to look at or play, its way and its cost, and the outage over time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

from mediarelay.announce.contract import ResultEvent
from mediarelay.job_records.contract import AttemptSummary
from tools.local.demo.scenario import Case

PAGE: Final = "index.html"
_ELEMENTS: Final = {
    **dict.fromkeys(
        (".mp3", ".wav", ".opus", ".ogg", ".aac", ".flac"), '<audio controls preload="none" src="{0}"></audio>'
    ),
    **dict.fromkeys((".mp4", ".webm"), '<video controls preload="metadata" src="{0}"></video>'),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp"), '<img src="{0}" alt="{1}" loading="lazy">'),
}
_COLOURS: Final = ("#3b7dd8", "#4f9c74", "#b07bd0", "#d79a3c", "#5aa7b5", "#8a8f98")
_MARKUP: Final = re.compile(r"\[/?[a-z ]+\]")
WIDTH, HEIGHT, ROW, BAND = 900, 200, 18, 56  # the band is for the numbers of what was said
STYLE: Final = Path(__file__).with_suffix(".css")


@dataclass
class OutageSeen:
    """What happened while a provider was down; moments in unix seconds."""

    provider: str
    served: list[tuple[float, str]] = field(default_factory=list)
    faults: list[float] = field(default_factory=list)
    said: list[tuple[float, str]] = field(default_factory=list)


def write(
    folder: Path,
    cases: Sequence[Case],
    found: Mapping[str, Sequence[ResultEvent]],
    saved: Mapping[str, Sequence[str]],
    outage: OutageSeen | None,
) -> Path:
    """Write the page beside the files it shows."""
    cards = [_card(case, event, saved.get(event.event_id, ())) for case in cases for event in found.get(case.name, ())]
    spent = sum(event.cost_usd for events in found.values() for event in events)
    files = sum(len(names) for names in saved.values())
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>mediarelay demo</title><style>{STYLE.read_text('utf-8')}</style></head><body>",
        "<h1>What the demo made</h1>",
        f'<p class="soft">{len(cards)} results, {files} files, ${spent:.4f}, as the vendors would charge it.</p>',
        *(_story(outage) if outage is not None else ()),
        "<h2>Results</h2><main>",
        *cards,
        "</main></body></html>\n",
    ]
    page = folder / PAGE
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


def _card(case: Case, event: ResultEvent, files: Sequence[str]) -> str:
    took = f"{event.latency_ms / 1000:.1f} s" if event.latency_ms is not None else "not served"
    who = " · ".join(filter(None, (event.kind, event.provider, event.model)))
    ended = f'<span class="bad">{escape(event.error.code)}</span>: {escape(event.error.message)}' if event.error else ""
    return "".join(
        [
            f"<article><h3>{escape(case.name)}</h3><p class='soft'>{escape(who)}</p>",
            *map(_shown, files),
            f"<p>{escape(event.status)} · {took} · ${event.cost_usd:.4f}</p>",
            f"<p>{ended}</p>" if ended else "",
            f"<p class='soft'>{escape(case.story)}</p>" if case.story else "",
            f"<ol>{''.join(map(_step, event.attempts))}</ol>" if event.attempts else "",
            "</article>",
        ]
    )


def _shown(name: str) -> str:
    element = _ELEMENTS.get(Path(name).suffix.lower(), "").format(escape(name), escape(name))
    return f'{element}<p class="soft"><a href="{escape(name)}">{escape(name)}</a></p>'


def _step(attempt: AttemptSummary) -> str:
    reason = " ".join(filter(None, (str(attempt.status or ""), attempt.code or "")))
    who = f"{attempt.provider}, key {attempt.key_id[:6]}"
    return f"<li>{escape(who)}: {attempt.outcome.value} {escape(reason)} in {attempt.latency_ms} ms</li>"


def _story(outage: OutageSeen) -> Iterator[str]:
    """The outage: what was served by whom and which calls failed, second by second, with what was said when."""
    moments = [at for at, _ in outage.served] + outage.faults
    yield f"<h2>{escape(outage.provider)} was taken down under steady traffic</h2>"
    if not moments:
        return
    first = min(moments)
    last = max(moments)
    seconds = max(1, round(last - first) + 1)
    providers = [name for name, _ in Counter(name for _, name in outage.served).most_common()]
    colours = dict(zip(providers, (*_COLOURS, *_COLOURS, *_COLOURS), strict=False))
    columns: dict[tuple[int, str], int] = Counter((int(at - first), name) for at, name in outage.served)
    failed = Counter(int(at - first) for at in outage.faults)
    most = max(sum(columns[second, name] for name in providers) + failed[second] for second in range(seconds))
    said = [(at - first, _MARKUP.sub("", text)) for at, text in outage.said]
    step = WIDTH / seconds
    tall = HEIGHT + ROW * (len(providers) + 2)
    label = "requests served each second, by provider, and calls that failed"
    yield f'<div class="chart"><svg viewBox="0 0 {WIDTH} {tall}" role="img" aria-label="{label}">'
    for second in range(seconds):
        base = float(HEIGHT)
        for name in [*providers, ""]:
            many = columns[second, name] if name else failed[second]
            height = (HEIGHT - BAND) * many / max(1, most)
            base -= height
            if many:
                fill = colours[name] if name else "#c93a44"
                across = f'x="{second * step:.1f}" width="{max(1, step - 1):.1f}"'
                yield f'<rect {across} y="{base:.1f}" height="{height:.1f}" fill="{fill}"/>'
    for number, (at, _) in enumerate(said, start=1):
        x = min(WIDTH - 8, max(0.0, at * step))
        yield f'<path class="mark" d="M{x:.1f} 0V{HEIGHT}"/>'
        yield f'<text x="{x + 3:.1f}" y="{12 + 13 * (number % 4)}">{number}</text>'
    for number, name in enumerate([*providers, ""]):
        y = HEIGHT + ROW * (number + 1)
        words = f"served by {name}" if name else f"calls to {outage.provider} that failed"
        yield f'<rect x="0" y="{y - 10}" width="12" height="12" fill="{colours[name] if name else "#c93a44"}"/>'
        yield f'<text x="18" y="{y}">{escape(words)}</text>'
    lines = "".join(f"<li>{max(0, at):.0f} s: {escape(text)}</li>" for at, text in said)
    yield f"</svg><ol>{lines}</ol></div>"
