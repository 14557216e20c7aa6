"""A person at a shell with the client installed, on a deployed stack."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.harness.deployed import Relay
from tools.local.lifecycle import exports
from tools.local.provider_secret import store_tokens

TOKEN = "t0ken-" * 6
CLIENT = Path(__file__).parents[2] / "client"


class ClientShell:
    """Runs the command and programs, in a folder of its own, with what `.local/env` sets."""

    def __init__(self, relay: Relay, folder: Path) -> None:
        store_tokens(relay.stack.client("secretsmanager"), [("e2e", TOKEN, time.time() + 3600)])
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MEDIARELAY_"))}
        local = exports(relay.stack, relay.simulator.urls, TOKEN)
        self._relay = relay
        self.folder = folder
        self.environment = {**kept, **local, "PYTHONPATH": str(CLIENT), "HOME": str(folder)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command."""
        return self._start("-m", "mediarelay_client", *arguments)

    def starts_program(self, text: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a program of Python that imports the library."""
        return self._start("-c", text, *arguments)

    def run(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Run the command; returns what it wrote on stdout and stderr."""
        process = self.start(*arguments)
        out, err = process.communicate()
        assert process.returncode == status, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out, err

    def queues(self) -> list[str]:
        """The queues that clients have left."""
        listed = self._relay.stack.client("sqs").list_queues(QueueNamePrefix=self.environment["REPLY_PREFIX"])
        return list(listed.get("QueueUrls", ()))

    def _start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
