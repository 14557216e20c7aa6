"""`say`, `draw`, `film` and `compose`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from mediarelay_client.command.facts import described, file_stem, money, short, size, span
from mediarelay_client.command.session import Session, with_session
from mediarelay_client.errors import InvalidRequest, RelayError, WaitTimeout

STDOUT: Final = "-"
INTERRUPTED: Final = 130
OF_SPEECH: Final = {"tts": " of speech"}
_FILE_NAME: Final = 255


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what all four take."""
    options = (
        click.option("-o", "--output", metavar="FILE|-", help="Where the file goes; - for stdout."),
        click.option("--provider", metavar="P,…", help="Who may be asked, in this order."),
        click.option("--model", metavar="M", help="The model, of the one provider named; or provider=model,…"),
        click.option("--max-cost", type=float, metavar="USD", help="What it may cost at most."),
        click.option("--id", "request_id", help="Your idempotency key."),
        click.option("--all", "all_", is_flag=True, help="Ask every provider; one file of each."),
        click.option("--no-wait", is_flag=True, help="Print the id, and wait for nothing."),
        click.option("--timeout", type=float, metavar="SECONDS", help="Wait no longer; the job goes on (exit 6)."),
        click.option("--open", "open_", is_flag=True, help="Open the file."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(short_help="Have a text spoken.", epilog="mediarelay say - -o speech.wav --format wav < text.txt")
@click.argument("text", metavar="TEXT|FILE|-")
@click.option("--voice", help="A name of the voice book, or a vendor's id.")
@click.option(
    "--format", "format_", type=click.Choice(["mp3", "wav", "opus", "aac", "flac", "pcm"]), help="Of the file."
)
@click.option("--language", metavar="TAG", help="Such as en or pt-BR; heard from the text when absent.")
@click.option("--speed", type=float, help="Times the natural pace.")
@click.option("--instructions", help="How to say it.")
@click.option("--timestamps", type=click.Choice(["word", "sentence"]), help="Adds when each is heard.")
@_common
@with_session
def say(session: Session, *, text: str, format_: str | None, **options: Any) -> int:
    """Have a text spoken: of the words themselves, of a file, or of what comes on stdin.

    \b
      mediarelay say "hello" -o hello.mp3
      mediarelay say chapter.txt --voice nova
      mediarelay say "hello" --json | jq -r '.outputs[0].url'
    """
    own = {name: options.pop(name) for name in ("voice", "language", "speed", "instructions", "timestamps")}
    return make(session, "tts", {"text": _text(text), "format": format_, **own}, **options)


@click.command(short_help="Have a picture drawn.")
@click.argument("prompt")
@click.option("--size", "size_", metavar="WxH", help="In pixels, such as 1024x1024.")
@click.option("--count", "-n", type=int, help="How many.")
@click.option("--quality", type=click.Choice(["auto", "low", "medium", "high"]))
@click.option("--format", "format_", type=click.Choice(["png", "jpeg", "webp"]), help="Of the file.")
@_common
@with_session
def draw(
    session: Session, *, prompt: str, size_: str | None, count: int | None, format_: str | None, **options: Any
) -> int:
    """Have a picture drawn.

    \b
      mediarelay draw "a lighthouse at dusk"
      mediarelay draw "a lighthouse at dusk" --all
      mediarelay draw "a lighthouse at dusk" --provider fal-flux -o lighthouse.png
    """
    input_ = {"prompt": prompt, "size": size_, "n": count, "format": format_, "quality": options.pop("quality")}
    return make(session, "image", input_, **options)


@click.command(short_help="Have a clip filmed.")
@click.argument("prompt")
@click.option("--seconds", type=int, help="How long.")
@click.option("--image", metavar="URL", help="A picture to begin with: a link that begins with https://.")
@click.option("--aspect-ratio", type=click.Choice(["16:9", "9:16", "1:1"]))
@click.option("--mode", type=click.Choice(["std", "pro"]), help="Standard or professional quality, at its price.")
@_common
@with_session
def film(session: Session, *, prompt: str, seconds: int | None, image: str | None, **options: Any) -> int:
    """Have a clip filmed. It takes minutes; Ctrl-C ends the wait, never the job.

    \b
      mediarelay film "waves" --seconds 5
      mediarelay film "waves" --no-wait
      mediarelay film "the boat leaves" --image https://example.com/boat.png
    """
    own = {name: options.pop(name) for name in ("aspect_ratio", "mode")}
    return make(session, "video", {"prompt": prompt, "duration": seconds, "image_url": image, **own}, **options)


@click.command(short_help="Have music composed, or a sound made.")
@click.argument("prompt")
@click.option("--sfx", is_flag=True, help="A sound effect, not music.")
@click.option("--seconds", type=float, help="How long.")
@_common
@with_session
def compose(session: Session, *, prompt: str, sfx: bool, seconds: float | None, **options: Any) -> int:
    """Have music composed, or a sound made.

    \b
      mediarelay compose "a slow waltz" --seconds 30
      mediarelay compose "a door creaks" --sfx
      mediarelay compose "rain on a roof" --sfx -o - | aplay
    """
    input_ = {"prompt": prompt, "duration": seconds, "type": "sfx" if sfx else None}
    return make(session, "audio", input_, **options)


def _text(given: str) -> str:
    """Return the words: themselves, those of a file, or those on stdin."""
    if given == STDOUT:
        return sys.stdin.read()
    if len(os.fsencode(given)) < _FILE_NAME and "\n" not in given and Path(given).is_file():
        return Path(given).read_text(encoding="utf-8")
    return given


def request_of(
    kind: str,
    input_: Mapping[str, Any],
    *,
    provider: str | None,
    model: str | None,
    max_cost: float | None,
    request_id: str | None,
    all_: bool,
) -> dict[str, Any]:
    """Return the request that options make."""
    body: dict[str, Any] = {"kind": kind, "input": {name: value for name, value in input_.items() if value is not None}}
    providers = [name.strip() for name in provider.split(",")] if provider else None
    if providers:
        body["providers"] = providers
        body["strategy"] = "ordered"
    if all_:
        body["strategy"] = "all"
    if model:
        body["model"] = _models(model, providers)
    if max_cost is not None:
        body["max_cost_usd"] = max_cost
    if request_id is not None:
        body["request_id"] = request_id
    return body


def _models(model: str, providers: Sequence[str] | None) -> dict[str, str]:
    if "=" in model:
        return {name: of for name, _, of in (pair.partition("=") for pair in model.split(","))}
    if providers is None or len(providers) != 1:
        hint = f"add --provider, or write --model PROVIDER={model}"
        raise InvalidRequest("invalid_request", f"--model {model}: of which provider?", hint=hint)
    return {providers[0]: model}


def make(
    session: Session,
    kind: str,
    input_: Mapping[str, Any],
    *,
    output: str | None,
    no_wait: bool,
    timeout: float | None,
    open_: bool,
    **asked: Any,
) -> int:
    """Publish it, say how far it is, save the file, tell what it was."""
    began = time.monotonic()
    job = session.relay.submit(request_of(kind, input_, **asked))
    if no_wait:
        click.echo(job.request_id)
        return 0
    shown = str(input_.get("text") or input_.get("prompt"))
    try:
        results = follow(session, job, began, timeout=timeout, lasting=kind in {"video", "audio"})
    except WaitTimeout:
        session.talk.end()
        click.echo(job.request_id)
        raise
    except KeyboardInterrupt:
        _goes_on(session, job.request_id)
        return INTERRUPTED
    return deliver(session, results, time.monotonic() - began, output=output, stem=file_stem(shown, kind), open_=open_)


def _goes_on(session: Session, request_id: str) -> None:
    session.talk.line(
        f"  the job goes on (and is paid for). See it: mediarelay job {request_id} --watch"
        f"     end it: mediarelay cancel {request_id}"
    )


def follow(session: Session, job: Any, began: float, *, timeout: float | None, lasting: bool) -> list[Any]:
    """Wait for a job's end, and say meanwhile how far it is. Returns its results."""
    steps: dict[str, list[str]] = {}
    results = []
    for update in job.updates(timeout):
        passed = time.monotonic() - began
        if update.result is not None:
            results.append(update.result)
            continue
        branch = update.job.request_id.partition("#")[2] if update.job else ""
        steps.setdefault(branch, []).append(_step(job.request_id, update, passed))
        session.talk.progress(_line(steps, {}), whole=lasting)
    ends = {
        event.job_id.partition("#")[2]: "stored" if result.ok else event.status
        for result in results
        for event in [result.event]
    }
    session.talk.progress(_line(steps, ends), whole=True)
    session.talk.end()
    return results


def _step(request_id: str, update: Any, passed: float) -> str:
    match update.state:
        case "polling":
            submit = update.job.submit if update.job else None
            key = f" (key {short(submit.key_id)})" if submit else ""
            return f"job {short(request_id)} · accepted by {update.provider}{key} · {span(passed)}"
        case "deferred":
            free = max(0.0, (update.until or time.time()) - time.time())
            return f"deferred: its keys are free in {free:.0f} s"
        case state:
            return f"{update.provider or state} {span(passed)}"


def _line(steps: Mapping[str, Sequence[str]], ends: Mapping[str, str]) -> str:
    """Return how far each branch is; where there are several, the newest step of each."""
    branches = [branch for branch in dict.fromkeys([*steps, *ends]) if branch]
    if not branches:
        return " · ".join([*steps.get("", ()), *([ends[""]] if "" in ends else [])])
    each = [f"{branch} {ends.get(branch) or steps[branch][-1].removeprefix(f'{branch} ')}" for branch in branches]
    return " · ".join([f"{len(branches)} asked", *each])


def deliver(
    session: Session, results: Sequence[Any], seconds: float, *, output: str | None, stem: str, open_: bool = False
) -> int:
    """Save what came, and tell of it. Returns the exit status."""
    from mediarelay_client.result import told  # noqa: PLC0415 # known by now

    for result in results:
        if not result.ok:
            if session.as_json:
                session.show(told(result.event))
            _failed(session, result, several=len(results) > 1)
            continue
        if output == STDOUT:
            sys.stdout.buffer.write(result.outputs[0].read())
            continue
        saved = _saved(result, output, stem, several=len(results) > 1) if output or not session.as_json else []
        if session.as_json:
            session.show(told(result.event))
        for path, file in zip(saved, result.outputs, strict=False):
            if not session.as_json:
                click.echo(_told(result, path, file, seconds))
            if open_:
                click.launch(str(path))
        for warning in result.warnings:
            session.talk.line(f"  warning: {warning}")
    return 0 if all(result.ok for result in results) else 1


def _failed(session: Session, result: Any, *, several: bool) -> None:
    from mediarelay_client.command import show_error  # noqa: PLC0415 # a failure is rare
    from mediarelay_client.errors import failure  # noqa: PLC0415 # as above

    session.talk.end()
    error: RelayError = failure(result.event)
    branch = result.event.job_id.partition("#")[2]
    who = f"{branch}: " if several else ""
    error.message = f"{who}{result.event.status}, {error.code}: {error.message}"
    error.hint = f"mediarelay job {error.request_id}"
    show_error(error, as_json=session.as_json)


def _saved(result: Any, output: str | None, stem: str, *, several: bool) -> list[Path]:
    """Save the files; where nobody named them, beside what is there already."""
    branch = result.event.job_id.partition("#")[2] if several else ""
    first = Path(output) if output else Path(stem)
    base = first.stem if output else stem
    paths = []
    for number, file in enumerate(result.outputs, 1):
        name = "-".join([base, *([branch] if branch else []), *([str(number)] if number > 1 else [])])
        ending = first.suffix if output and first.suffix and number == 1 else f".{file.ending}"
        path = first.with_name(f"{name}{ending}")
        paths.append(file.save(path if output else _free(path)))
    return paths


def _free(path: Path) -> Path:
    """Return a name that no file has: what was paid for is not written over."""
    taken, number = path, 2
    while taken.exists():
        taken = path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1
    return taken


def _told(result: Any, path: Path, file: Any, seconds: float) -> str:
    event = result.event
    facts = described(path.read_bytes(), file.content_type)
    facts += OF_SPEECH.get(event.kind, "") if facts else ""
    took = ((event.queue_ms or 0) + (event.latency_ms or 0)) / 1000
    columns = [str(path), size(file.bytes), facts, f"{event.provider} {event.model or ''}".strip()]
    columns += [span(took or seconds), money(result.cost_usd)]
    return "   ".join(column for column in columns if column)
