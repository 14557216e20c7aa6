"""A batch whose command is killed twice, once with its notes deleted: each line once, nothing bought twice."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.harness.client_shell import ClientShell
from tests.harness.deployed import Relay, until

pytestmark = pytest.mark.stack

LINES = 2000


def has_saved(process: subprocess.Popen[str], out: Path, count: int) -> bool:
    """Whether so many files are there, or no more will come."""
    return len(list(out.glob("*.mp3"))) >= count or process.poll() is not None


def test_a_batch_that_is_killed_twice_ends_once(relay: Relay, tmp_path: Path) -> None:
    shell = ClientShell(relay, tmp_path)
    bodies = ({"kind": "tts", "input": {"text": f"line {number} of a book"}} for number in range(LINES))
    (tmp_path / "book.jsonl").write_text("".join(json.dumps(body) + "\n" for body in bodies), encoding="utf-8")
    out, notes = tmp_path / "out", tmp_path / "book.jsonl.run"
    for share, lost in ((4, False), (2, True)):
        process = shell.start("batch", "book.jsonl", "--out", "out", "-q")
        until(partial(has_saved, process, out, LINES // share))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if lost:
            notes.unlink()
    summary = json.loads(shell.run("batch", "book.jsonl", "--out", "out", "--json")[0])
    assert (summary["succeeded"], summary["failed"], summary["left"]) == (LINES, 0, 0)
    assert {path.name for path in out.glob("*.mp3")} == {f"{number:05d}.mp3" for number in range(1, LINES + 1)}
    jobs = relay.jobs("b-")
    assert len(jobs) == LINES
    assert Counter(job.status for job in jobs.values()) == {"succeeded": LINES}
    charged = Counter(sum(each.state == "charged" for each in job.purchases) for job in jobs.values())
    assert charged == {1: LINES}
    paid = relay.simulator.client.paid()
    assert (len(paid), set(paid.values())) == (LINES, {1})
