"""The provider simulator in the background, for a stack that stays up."""

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mediarelay.keys.parsing import CREDENTIALS
from mediarelay.providers.credentials import ON, ROLE_VARIABLES, ApiKeys, Credentials
from mediarelay.providers.listing import ListedVendor
from tools.local.project import DEV_PYTHON, ROOT
from tools.localaws.background_process import BackgroundProcess, log_tail
from tools.simulator.config import SimulatorConfig
from tools.simulator.state.accounts import role_of

START_SECONDS = 240.0  # a busy machine takes its time over imports
POLL_SECONDS = 0.05


class SimulatorError(Exception):
    """The simulator did not come up; the message holds the end of its log."""


@dataclass(frozen=True)
class Simulator:
    """A running simulator and its base URLs by environment variable."""

    process: BackgroundProcess
    urls: dict[str, str]

    @classmethod
    def start(cls, workdir: Path) -> "Simulator":
        """Start one on a free port and wait until it listens."""
        ready = workdir / "simulator.json"
        ready.unlink(missing_ok=True)
        log = workdir / "simulator.log"
        log.unlink(missing_ok=True)
        command = [str(DEV_PYTHON), "-m", "tools.simulator", "--port", "0", "--ready-file", str(ready)]
        process = BackgroundProcess.start(command, environment=dict(os.environ), cwd=ROOT, log=log)
        try:
            return cls(process, _wait_for_urls(process, ready, log))
        except BaseException:
            process.stop()
            raise


def simulator_keys() -> dict[str, str]:
    """Returns the fake keys that a simulator accepts by default, by the vendors' variables.

    The functions' real roles are known to the local AWS alone: vendors that want no key but a role get one of ours.
    """
    accounts = SimulatorConfig().vendors
    found: dict[str, str] = {}
    for vendor, source in CREDENTIALS.items():
        found |= _variables(source, [key for account in accounts[vendor].values() for key in account.keys])
    return found


def keys_of(vendors: Iterable[ListedVendor], environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the keys of added servers by variable: the environment's, or some word, as servers of one's own take."""
    names = [each.credentials.plural for each in vendors if isinstance(each.credentials, ApiKeys)]
    return {name: environment.get(name, "local") for name in names}


def _variables(source: Credentials, keys: list[str]) -> dict[str, str]:
    if isinstance(source, ApiKeys):
        return {source.plural: ",".join(keys)}
    return {**dict(zip(ROLE_VARIABLES, role_of(keys[0]), strict=True)), source.allowed_by: ON}


def _wait_for_urls(process: BackgroundProcess, ready: Path, log: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if not process.running() or time.monotonic() > deadline:
            raise SimulatorError(f"the simulator did not start; {log_tail(log)}")
        time.sleep(POLL_SECONDS)
    urls: dict[str, str] = json.loads(ready.read_text(encoding="utf-8"))["urls"]
    return urls
