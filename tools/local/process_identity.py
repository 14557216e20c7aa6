"""Knowing a process again: a pid alone may have been given to another one since."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


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
