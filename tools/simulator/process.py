"""The simulator as a subprocess that is ready when the block begins and gone when it ends."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.localaws.owner import OWNER_VARIABLE

from .client import SimulatorClient
from .config import SimulatorConfig

_START_SECONDS = 240.0  # a busy machine takes its time over imports
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_TAIL_LINES = 15
_ROOT = Path(__file__).resolve().parents[2]


class SimulatorStartError(Exception):
    """It did not come up; the message ends with the end of its log."""


class SimulatorProcess:
    """`with SimulatorProcess() as simulator:` gives `.urls`, `.client` and `.pid`."""

    def __init__(self, port: int = 0, config: SimulatorConfig | dict[str, Any] | None = None) -> None:
        self._port = port
        self._config = SimulatorConfig.model_validate(config) if isinstance(config, dict) else config
        self.urls: dict[str, str] = {}
        self.client: SimulatorClient

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="simulator-")
        folder = Path(self._folder.name)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C is for its owner, who ends it when nobody calls it any more.
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                self._command(folder),
                cwd=_ROOT,
                env={**os.environ, OWNER_VARIABLE: str(os.getpid())},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            ready = self._wait(folder / "ready.json")
        except BaseException:
            self._stop()
            raise
        self.urls = ready["urls"]
        self.client = SimulatorClient(ready["admin"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self._stop()

    def _command(self, folder: Path) -> list[str]:
        ready = str(folder / "ready.json")
        command = [sys.executable, "-m", "tools.simulator", "--port", str(self._port), "--ready-file", ready]
        if self._config is None:
            return command
        path = folder / "config.json"
        path.write_text(self._config.model_dump_json(), encoding="utf-8")
        return [*command, "--config", str(path)]

    def _wait(self, ready: Path) -> dict[str, Any]:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if ready.exists():
                answer: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
                return answer
            if (code := self._process.poll()) is not None:
                raise SimulatorStartError(f"the simulator ended with code {code}:\n{self._tail()}")
            time.sleep(_POLL_SECONDS)
        raise SimulatorStartError(f"the simulator was not ready after {_START_SECONDS:.0f} s:\n{self._tail()}")

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:])

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()
