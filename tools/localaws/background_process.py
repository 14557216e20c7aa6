"""A server of ours in the background: its own session, its output in a log, ended with all its children.

It is known again by its pid and the moment it started: a pid alone may have been given to another process since.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05
GRACE_SECONDS = 8.0
TAIL_LINES = 25


@dataclass(frozen=True)
class ProcessIdentity:
    """A process by its pid and the moment it started, in whatever form the system tells it."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """The identity of a running process, None when there is none by that pid."""
        started = _started(pid)
        return None if started is None else cls(pid, started)

    def running(self) -> bool:
        """Whether this very process still runs; one that only waits to be reaped does not."""
        return _started(self.pid) == self.started

    def group_remains(self) -> bool:
        """Whether the process group it leads still has members. Its pid is not given away before they are gone."""
        if not self.running() and _started(self.pid) is not None:
            return False
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True


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


def log_tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log and where the rest is."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return f"(there is no {path})"
    kept = "\n".join(f"  | {line}" for line in text.splitlines()[-lines:])
    return f"end of {path}:\n{kept}"


def _started(pid: int) -> str | None:
    return _from_proc(pid) if Path("/proc/self/stat").exists() else _from_ps(pid)


def _from_proc(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may hold anything; after it come the state and, 19 fields on, the start in clock ticks.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


def _from_ps(pid: int) -> str | None:
    found = subprocess.run(  # noqa: S603  (a number is its only argument)
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],  # noqa: S607  (ps lies in different places)
        capture_output=True,
        text=True,
        check=False,
    )
    state, _, started = found.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()
