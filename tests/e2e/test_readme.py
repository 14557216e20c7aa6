"""The commands of README and of the pages it leads to, run as they stand there by a shell, on the deployed template."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.health_desk import TOKEN, HealthDesk
from tests.harness import shell_commands
from tests.harness.deployed import Relay, until
from tools.local.lifecycle import exports, write_exports

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[2]


class Reader:
    """Somebody who pastes README's commands into a shell."""

    def __init__(self, relay: Relay, folder: Path) -> None:
        HealthDesk(relay)  # makes the API's token known
        self._folder = folder
        shell_commands.install(folder / "bin")
        (folder / ".local").mkdir()
        write_exports(folder / ".local" / "env", exports(relay.stack, relay.simulator.urls, TOKEN))

    def pastes(self, commands: str) -> str:
        """Run them in one shell; returns what they print."""
        return self._run(["/bin/bash", "-euo", "pipefail", "-c", f"source .local/env\n{commands}"])

    def runs_python(self, program: str) -> None:
        """Run a program with the environment of the local stack."""
        self.pastes(f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}")

    def _run(self, command: list[str]) -> str:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {
            **kept,
            "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT}:{ROOT / 'client'}",
            "HOME": str(self._folder),
        }
        done = subprocess.run(command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def reader(relay: Relay, tmp_path: Path) -> Reader:
    return Reader(relay, tmp_path)


def blocks(page: str, section: str = "", language: str = "sh") -> list[str]:
    """The blocks of a page's section; of what stands before its first one without a name."""
    text = (ROOT / page).read_text("utf-8")
    found, rest = (True, text) if not section else text.partition(f"\n## {section}\n")[1:]
    assert found, section
    return re.findall(rf"```{language}\n(.*?)```", rest.partition("\n## ")[0], re.DOTALL)


def test_the_first_screen_leads_to_sound_and_console(relay: Relay, reader: Reader, tmp_path: Path) -> None:
    up, *commands = blocks("README.md")[0].strip().splitlines()
    assert up.startswith("make local ")  # which tests/local runs
    reader.pastes("\n".join(commands))
    assert (tmp_path / "hello.mp3").stat().st_size > 1000
    opened = tmp_path / "opened"  # by a process that nobody waits for
    address = until(lambda: opened.is_file() and opened.read_text("utf-8"))
    assert address == f"{relay.stack.api_url}#token={TOKEN}"


def test_the_first_screens_python_draws_and_reads_a_book(reader: Reader, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text("It was a dark night.\nThe wind howled.\n", encoding="utf-8")
    reader.runs_python(blocks("README.md", language="python")[0])
    assert (tmp_path / "lighthouse.png").stat().st_size > 100


def test_the_first_screens_line_for_sqs_alone_publishes(reader: Reader) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (command,) = re.findall(r"^Only SQS\? `(.*)`$", readme, re.MULTILINE)
    assert json.loads(reader.pastes(command))["MessageId"]


def test_a_request_from_the_shell_becomes_a_file_that_the_shell_lists(reader: Reader) -> None:
    send, listing = blocks("docs/publishers.md", "By hand")[0].rstrip().rsplit("\n", 1)
    sent = json.loads(reader.pastes(send))
    assert until(lambda: sent["MessageId"] in reader.pastes(listing))


def test_a_request_from_python_settles_under_its_own_id(relay: Relay, reader: Reader) -> None:
    reader.runs_python(blocks("docs/publishers.md", "By hand", "python")[0])
    (event,) = relay.await_events(["order-17-cover"])["order-17-cover"]
    assert (event.status, event.kind, event.metadata) == ("succeeded", "image", {"order": 17})


def test_a_queue_that_subscribes_receives_the_events_it_asked_for(relay: Relay, reader: Reader) -> None:
    subscribe, receive = blocks("docs/publishers.md", "Subscribe")[0].rstrip().rsplit("\n", 1)
    queue = reader.pastes(f'{subscribe}\necho "QUEUE $MY_QUEUE_URL"').rpartition("QUEUE ")[2].strip()
    relay.publish([{"kind": "tts", "input": {"text": "for a reader"}, "request_id": "readme-subscriber"}])
    received = until(lambda: reader.pastes(f"MY_QUEUE_URL={shlex.quote(queue)}\n{receive}").strip())
    (message,) = json.loads(received)["Messages"]
    event = json.loads(message["Body"])
    assert (event["request_id"], event["status"]) == ("readme-subscriber", "succeeded")


def test_health_is_read_and_alerts_are_subscribed_to(reader: Reader) -> None:
    health, _, subscribe = blocks("docs/operations.md", "Watch")[0].strip().split("\n")
    assert "openai-tts" in {each["provider"] for each in json.loads(reader.pastes(health))["providers"]}
    assert "SubscriptionArn" in json.loads(reader.pastes(subscribe))
