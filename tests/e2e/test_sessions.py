"""The command and the library on the deployed template: the sessions of docs/publishers.md, but for figures and ids."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import settings

from tests.harness.client_shell import ClientShell
from tests.harness.deployed import Relay, until

pytestmark = pytest.mark.stack

# A thousand at once in `make test-all`.
PROCESSES, EACH = 4, 250 if settings.default.max_examples > 100 else 25
LIBRARY = """
import sys
from mediarelay_client import Relay

name, count = sys.argv[1], int(sys.argv[2])

def requests():
    for number in range(count):
        body = {"kind": "tts", "input": {"text": f"{name} says {number}"}, "metadata": {"of": name}}
        if number % 50 == 7:
            body["providers"] = ["nobody-tts"]
        yield body

with Relay.from_env() as relay:
    for done in relay.submit_many(requests()):
        print(done.input_index, done.event.request_id, done.event.status, done.event.metadata.get("of"), sep="\\t")
"""


@pytest.fixture
def shell(relay: Relay, tmp_path: Path) -> ClientShell:
    return ClientShell(relay, tmp_path)


def plain(text: str) -> str:
    """A session without its figures and ids."""
    text = re.sub(r"\d+(?:\.\d+)? (?:s|KB|MB)\b", "N", text)
    text = re.sub(r"\$\d+(?:\.\d+)?", "$N", text)
    return re.sub(r" +", " ", text)


def test_say_draw_and_film_save_files_and_tell_of_them(shell: ClientShell) -> None:
    out, err = shell.run("say", "hello", "--provider", "openai-tts")
    assert plain(out) == "hello.mp3 N N of speech openai-tts gpt-4o-mini-tts N $N\n"
    assert re.fullmatch(
        r"· (queued N · |running N · )*(openai-tts N · )?stored\n"
        r" warning: openai-tts model gpt-4o-mini-tts retires .*\n",
        plain(err),
    )
    assert (shell.folder / "hello.mp3").stat().st_size > 1000

    out, _ = shell.run("draw", "a lighthouse at dusk", "--all", "--provider", "fal-flux,openai-image")
    lines = sorted(plain(out).splitlines())
    assert lines[0].startswith("lighthouse-fal-flux.png N 1024x1024 fal-flux ")
    assert lines[1].startswith("lighthouse-openai-image.png N 1024x1024 openai-image gpt-image-2 N $N")

    out, err = shell.run("film", "waves", "--seconds", "5", "--provider", "kling-video")
    assert plain(out).startswith("waves.mp4 N N kling-video kling-v2-6 N $N")
    assert "accepted by kling-video (key " in err


def test_a_pipe_gets_the_event_and_nothing_else(shell: ClientShell) -> None:
    out, _ = shell.run("say", "hello", "--json")
    assert json.loads(out)["outputs"][0]["url"].startswith("http")
    assert list(shell.folder.glob("*.mp3")) == []


def test_a_wait_ends_a_job_goes_on_and_is_found_again(shell: ClientShell) -> None:
    request_id = shell.run("film", "waves", "--no-wait")[0].strip()
    shell.run("job", request_id, "--watch", "--save", "out")
    assert [path.name for path in (shell.folder / "out").iterdir()] == [f"{request_id}.mp4"]
    out, _ = shell.run("job", request_id)
    assert [line.split()[-1] for line in out.splitlines()[:2]] == ["published", "claimed"]


def test_what_cannot_be_served_is_told_before_or_after_with_its_exit(shell: ClientShell) -> None:
    _, err = shell.run("say", "hello", "--voice", "no voice", status=2)
    assert err == "mediarelay: input.voice: must be 1 to 64 letters, digits, '_' or '-'\n"
    out, err = shell.run("say", "hello", "--provider", "nobody-tts", "-q", status=1)
    assert out == ""
    assert re.fullmatch(r"mediarelay: rejected, \w+: .* ; mediarelay job \S+\n", err)
    assert shell.run("job", "nowhere", status=3)[1].startswith("mediarelay: there is no job of request nowhere")


def test_operators_look_and_force(shell: ClientShell) -> None:
    shell.run("say", "hello", "--provider", "openai-tts")
    assert "openai-tts" in shell.run("providers")[0]
    until(lambda: "\ttts\tsucceeded\topenai-tts\t" in shell.run("jobs", "--kind", "tts")[0])
    assert all(
        key["vendor"] == "fal"
        for key in map(json.loads, shell.run("keys", "--vendor", "fal", "--json")[0].splitlines())
    )
    shell.run("override", "set", "provider:polly-tts", "--reason", "a test", "--for", "5m")
    assert shell.run("override", "ls")[0].startswith("provider:polly-tts\tdown\t")
    shell.run("override", "clear", "provider:polly-tts")
    until(lambda: "openai-tts" in shell.run("usage")[0])
    for command in (["incidents"], ["budget", "ls"], ["doctor"], ["url"], ["url", "openai"], ["sweep-queues"]):
        shell.run(*command)


def test_each_of_several_processes_gets_its_own_results_and_no_queue_is_left(shell: ClientShell) -> None:
    processes = {name: shell.starts_program(LIBRARY, name, str(EACH)) for name in "abcd"[:PROCESSES]}
    ids: set[str] = set()
    for name, process in processes.items():
        out, err = process.communicate()
        assert process.returncode == 0, err
        rows = [line.split("\t") for line in out.splitlines()]
        assert sorted(int(row[0]) for row in rows) == list(range(EACH))
        assert {row[3] for row in rows} == {name}
        assert {row[2] for row in rows} == {"succeeded", "rejected"}
        ids |= {row[1] for row in rows}
    assert len(ids) == PROCESSES * EACH
    assert shell.queues() == []
