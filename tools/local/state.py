"""What `up` leaves behind for `down` and `status`: which processes it started and where they listen."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.local.simulator import Simulator
from tools.localaws.background_process import BackgroundProcess, ProcessIdentity
from tools.localaws.ministack_process import MiniStackProcess


@dataclass
class LocalState:
    """The background processes of one working folder, and the outputs of the stack in it."""

    workdir: Path
    port: int = 0
    ministack: ProcessIdentity | None = None
    simulator: ProcessIdentity | None = None
    urls: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    api_url: str = ""
    api_token: str = ""

    @classmethod
    def load(cls, workdir: Path) -> "LocalState":
        """Read the state of a working folder, empty when nothing is up."""
        try:
            stored = json.loads(_file(workdir).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls(workdir)
        for name in ("ministack", "simulator"):
            stored[name] = ProcessIdentity(**stored[name]) if stored[name] else None
        return cls(workdir, **stored)

    def save(self) -> None:
        """Write it for the next command, readable by its owner only."""
        self.workdir.mkdir(parents=True, exist_ok=True)
        _file(self.workdir).touch(mode=0o600)
        stored = asdict(self)
        del stored["workdir"]
        _file(self.workdir).write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")

    def forget(self) -> None:
        """Nothing is up any more."""
        _file(self.workdir).unlink(missing_ok=True)

    def running_ministack(self) -> MiniStackProcess | None:
        """The MiniStack that is up, None when it has ended or does not answer."""
        if self.ministack is None or not self.ministack.running():
            return None
        found = MiniStackProcess(BackgroundProcess(self.ministack), self.port, self.workdir)
        return found if found.healthy() else None

    def running_simulator(self) -> Simulator | None:
        """The simulator that is up, None when it has ended."""
        if self.simulator is None or not self.simulator.running():
            return None
        return Simulator(BackgroundProcess(self.simulator), self.urls)


def _file(workdir: Path) -> Path:
    return workdir / "state.json"
