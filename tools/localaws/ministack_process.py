"""Starts and stops one MiniStack, through the launcher that puts its differences from AWS right."""

import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.localaws.background_process import BackgroundProcess, log_tail
from tools.localaws.environment import server_environment
from tools.localaws.owner import OWNER_VARIABLE
from tools.localaws.ports import LOOPBACK, free_port

LAUNCHER = Path(__file__).resolve().with_name("__main__.py")
# The environment that `make install` creates from the lock.
MINISTACK_PYTHON = LAUNCHER.parents[2] / ".venvs" / "ministack" / "bin" / "python"

# Its first start after installation compiles some two hundred thousand lines.
START_SECONDS = 240.0
POLL_SECONDS = 0.05


class MiniStackError(Exception):
    """MiniStack did not come up; the message says why as far as its log tells."""


@dataclass
class MiniStackProcess:
    """One MiniStack on a loopback port, its files in a folder of its own. A context manager that stops it."""

    process: BackgroundProcess
    port: int
    workdir: Path

    @classmethod
    def start(
        cls,
        workdir: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        detached: bool = False,
    ) -> Self:
        """Start one and wait until it is healthy.

        `settings` are environment variables of the server, such as MEDIARELAY_LOCAL_FIXES. Unless `detached`, it ends
        with the calling process, even if that is killed.
        Raises MiniStackError, and leaves nothing running, when it does not come up.
        """
        if not MINISTACK_PYTHON.exists():
            raise MiniStackError(f"{MINISTACK_PYTHON} is missing: run `make install`")
        port = port or free_port()
        temporary = _temporary(workdir)
        temporary.mkdir(parents=True, exist_ok=True)
        log = _log(workdir)
        log.unlink(missing_ok=True)
        owner = {} if detached else {OWNER_VARIABLE: str(os.getpid())}
        environment = server_environment(port, temporary, {**owner, **(settings or {})})
        command = [str(MINISTACK_PYTHON), str(LAUNCHER)]
        process = BackgroundProcess.start(command, environment=environment, cwd=temporary, log=log)
        ministack = cls(process, port, workdir)
        try:
            ministack._wait_until_healthy()
        except BaseException:
            ministack.stop()
            raise
        return ministack

    @property
    def endpoint(self) -> str:
        """The URL that AWS clients use."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def log(self) -> Path:
        """Its output."""
        return _log(self.workdir)

    def healthy(self) -> bool:
        """Whether it answers its health check."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2) as answer:  # noqa: S310  (http, ours)
                return bool(answer.status == 200)  # noqa: PLR2004  (HTTP OK)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """End it with all its Lambda workers, and remove what it left in its temporary folder."""
        self.process.stop()
        shutil.rmtree(_temporary(self.workdir), ignore_errors=True)

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.healthy():
            if not self.process.running():
                raise MiniStackError(f"MiniStack ended while starting; {log_tail(self.log)}")
            if time.monotonic() > deadline:
                raise MiniStackError(f"MiniStack is not healthy after {START_SECONDS:.0f} s; {log_tail(self.log)}")
            time.sleep(POLL_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _temporary(workdir: Path) -> Path:
    return workdir / "ministack-tmp"


def _log(workdir: Path) -> Path:
    return workdir / "ministack.log"
