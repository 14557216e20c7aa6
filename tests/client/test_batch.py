from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mediarelay_client.command import main
from mediarelay_client.command.notes import Notes, lines_of
from mediarelay_client.errors import InvalidRequest
from mediarelay_client.relay import Relay
from tests.harness.client_stack import CONTENT, PREFIX, QUEUE, TOKEN, ClientStack

Batch = Callable[..., tuple[int, dict[str, Any], str]]
COUNT = 120


@pytest.fixture
def batch(
    stack: ClientStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Batch:
    """Run a batch of `lines.jsonl`; its status, its summary, what it said."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"QUEUE_URL": QUEUE, "API_URL": stack.url, "API_TOKEN": TOKEN, "REPLY_PREFIX": PREFIX}.items():
        monkeypatch.setenv(f"MEDIARELAY_{name}", value)
    write("lines.jsonl", COUNT)

    def run(*arguments: str) -> tuple[int, dict[str, Any], str]:
        status = main(["batch", "lines.jsonl", "--out", "out", "--json", *arguments])
        said = capfd.readouterr()
        return status, json.loads(said.out) if said.out else {}, said.err

    return run


def write(name: str, count: int) -> None:
    bodies = ({"kind": "tts", "input": {"text": f"line {number}"}} for number in range(count))
    Path(name).write_text("".join(json.dumps(body) + "\n" for body in bodies), encoding="utf-8")


def killed_after(monkeypatch: pytest.MonkeyPatch, results: int) -> None:
    """Have the command end as by a signal after so many results."""
    original = Relay.ended

    def some(self: Relay, *arguments: Any, **options: Any) -> Any:
        for number, result in enumerate(original(self, *arguments, **options)):
            if number == results:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(Relay, "ended", some)


def files() -> set[str]:
    return {path.name for path in Path("out").glob("*.mp3")}


def test_every_line_becomes_a_file_and_a_row(batch: Batch, stack: ClientStack) -> None:
    status, summary, _ = batch()
    assert (status, summary["succeeded"], summary["failed"], summary["left"]) == (0, COUNT, 0, 0)
    assert files() == {f"{number:05d}.mp3" for number in range(1, COUNT + 1)}
    assert Path("out/00001.mp3").read_bytes() == CONTENT
    with Path("out/report.csv").open(encoding="utf-8", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == [f"{number:05d}.mp3" for number in range(1, COUNT + 1)]
    assert f"{COUNT} succeeded" in Path("out/report.html").read_text("utf-8")
    assert not stack.queues


@pytest.mark.parametrize("notes", ["kept", "deleted"])
def test_killed_and_run_again_it_goes_on_and_buys_nothing_twice(
    batch: Batch, stack: ClientStack, monkeypatch: pytest.MonkeyPatch, notes: str
) -> None:
    with monkeypatch.context() as patch:
        killed_after(patch, 30)
        status, _, err = batch("--concurrency", "40")
    assert status == 130
    assert "Again, to go on: mediarelay batch lines.jsonl --out out" in err
    if notes == "deleted":
        Path("lines.jsonl.run").unlink()
    status, summary, err = batch()
    assert (status, summary["succeeded"]) == (0, COUNT)
    assert "resuming" in err
    assert len(files()) == COUNT
    assert set(Counter(stack.bought).values()) == {1}
    assert len(stack.bought) == COUNT


def test_without_a_token_it_publishes_nothing(
    batch: Batch, stack: ClientStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would tell it of what an earlier run has published."""
    monkeypatch.delenv("MEDIARELAY_API_TOKEN")
    status, _, err = batch()
    assert status == 4
    assert "mediarelay login" in err
    assert not stack.published


def test_what_has_ended_is_not_asked_again(batch: Batch, stack: ClientStack) -> None:
    batch()
    stack.published.clear()
    status, summary, _ = batch()
    assert (status, summary["succeeded"], summary["published"]) == (0, COUNT, 0)
    assert not stack.published


def test_a_file_that_was_lost_is_fetched_again_not_bought_again(batch: Batch, stack: ClientStack) -> None:
    batch()
    Path("out/00007.mp3").unlink()
    batch()
    assert len(files()) == COUNT
    assert len(stack.bought) == COUNT


def test_again_is_all_of_it_anew(batch: Batch, stack: ClientStack) -> None:
    batch()
    assert batch("--again")[1]["published"] == COUNT
    assert len(set(stack.bought)) == 2 * COUNT


def test_some_failed_is_exit_5(batch: Batch, stack: ClientStack) -> None:
    error = {"code": "no_provider", "message": "no", "retryable": False}
    stack.answer = lambda body: (
        {"status": "rejected", "error": error} if body["input"]["text"] == "line 3" else {"status": "succeeded"}
    )
    status, summary, _ = batch()
    assert (status, summary["failed"]) == (5, 1)


def test_money_ends_it_before_it_is_exceeded(batch: Batch, stack: ClientStack) -> None:
    status, summary, err = batch("--max-cost", "0.0501")
    assert status == 5
    assert summary["cost_usd"] == pytest.approx(0.05)
    assert summary["left"] == COUNT - 50
    assert "--max-cost" in err
    assert batch("--max-cost", "1")[1]["left"] == 0
    assert len(stack.bought) == COUNT


def test_what_was_refused_tells_no_price(batch: Batch, stack: ClientStack) -> None:
    error = {"code": "no_provider", "message": "no", "retryable": False}
    stack.answer = lambda body: (
        {"status": "rejected", "error": error} if int(body["input"]["text"][5:]) < 10 else {"status": "succeeded"}
    )
    assert batch("--max-cost", "0.0201")[1]["cost_usd"] == pytest.approx(0.02)
    assert len(stack.bought) == 20


def test_each_provider_of_a_line_is_counted_and_has_a_file(batch: Batch, stack: ClientStack) -> None:
    body = {"kind": "tts", "strategy": "all", "providers": ["a-tts", "b-tts"], "input": {"text": "x"}}
    Path("lines.jsonl").write_text(json.dumps(body) + "\n", encoding="utf-8")
    status, summary, _ = batch()
    assert (status, summary["succeeded"], summary["cost_usd"]) == (0, 1, pytest.approx(0.002))
    assert files() == {"00001-a-tts.mp3", "00001-b-tts.mp3"}
    Path("out/00001-a-tts.mp3").unlink()
    batch()
    assert len(files()) == 2
    assert len(stack.bought) == 2


def test_a_dry_run_publishes_nothing_and_says_what_is_wrong(batch: Batch, stack: ClientStack) -> None:
    with Path("lines.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"kind":"tts","input":{"text":"x","speed":9}}\n')
    status, told, _ = batch("--dry-run")
    assert status == 5
    assert told["refused"] == [
        {"line": COUNT + 1, "code": "invalid_request", "message": "input.speed: must be less than or equal to 4"}
    ]
    assert not stack.published
    assert not Path("lines.jsonl.run").exists()


def test_the_same_line_twice_is_two_jobs_and_always_the_same_two(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"kind":"tts","input":{"text":"x"}}\n\n' * 2, encoding="utf-8")
    ids = [line.request_id for line in lines_of(path, None, "")]
    assert len(set(ids)) == 2
    assert ids == [line.request_id for line in lines_of(path, None, "")]
    assert not set(ids) & {line.request_id for line in lines_of(path, "acme", "")}
    assert not set(ids) & {line.request_id for line in lines_of(path, None, "salt")}


def test_one_id_for_two_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"request_id":"a","kind":"tts","input":{"text":"x"}}\n' * 2, encoding="utf-8")
    with pytest.raises(InvalidRequest, match="lines 1 and 2"):
        lines_of(path, None, "")


def test_a_table_of_lines_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        "request_id,text,speed,providers,sample_rate,metadata\n"
        'a,"hello, you",1.5,"openai-tts,polly-tts",24000,"{""of"": 7}"\n'
        "b,{},,,,\n"
        "7,8,,,,\n",
        encoding="utf-8",
    )
    line, *others = lines_of(path, None, "")
    assert [other.body["input"] for other in others] == [{"text": "{}"}, {"text": "8"}]
    assert line.body == {
        "kind": "tts",
        "request_id": "a",
        "providers": ["openai-tts", "polly-tts"],
        "metadata": {"of": 7},
        "input": {"text": "hello, you", "speed": 1.5, "sample_rate": 24000},
    }


def test_notes_that_were_cut_off_are_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "x.run"
    path.write_text('{"settled": "a", "status": "failed"}\n{"settled": "b", "status": "succ', encoding="utf-8")
    notes = Notes.read(path)
    assert notes.settled.keys() == {"a"}
    notes.add({"settled": "c", "status": "failed"})
    notes.close()
    assert Notes.read(path).settled.keys() == {"a", "c"}
