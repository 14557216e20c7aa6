"""A server of ours in the background: its own session, its output in a log, ended with all its children."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.local.process_identity import ProcessIdentity

POLL_SECONDS = 0.05
GRACE_SECONDS = 8.0


@dataclass
class BackgroundProcess:
    """A process that leads a process group of its own; `child` only in the process that started it."""

    identity: ProcessIdentity
    child: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def start(
        cls, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, log: Path
    ) -> "BackgroundProcess":
        """Start a command, detached from the terminal, appending its output to a log."""
        with log.open("ab") as output:
            child = subprocess.Popen(  # noqa: S603  (commands of ours)
                command,
                env=dict(environment),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        # A child that has ended already keeps its pid until it is waited for, but no start time.
        identity = ProcessIdentity.of(child.pid) or ProcessIdentity(child.pid, "ended")
        return cls(identity, child)

    def running(self) -> bool:
        """Whether it still runs."""
        return self.identity.running()

    def stop(self, grace: float = GRACE_SECONDS) -> None:
        """Ask it to end, wait, and end by force what is left of its group; nothing happens when it is gone."""
        if self.running():
            with suppress(ProcessLookupError):
                os.kill(self.identity.pid, signal.SIGTERM)
            _wait_while(self.running, grace)
        # MiniStack leaves busy Lambda workers behind.
        if self.identity.group_remains():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.identity.pid, signal.SIGKILL)
        if self.child is not None:
            self.child.wait()
        _wait_while(self.identity.group_remains, grace)


def _wait_while(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while condition() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
