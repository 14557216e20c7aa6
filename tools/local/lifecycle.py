"""`up`, `down` and `status`: the local stack that stays up between commands."""

import re
import secrets
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from tools.local.deploy import Progress
from tools.local.plan import StackPlan, provider_parameters
from tools.local.project import COMMAND
from tools.local.provider_secret import store_tokens
from tools.local.simulator import Simulator, simulator_keys
from tools.local.stack import LocalStack
from tools.local.state import LocalState
from tools.localaws.background_process import BackgroundProcess
from tools.localaws.environment import client_environment
from tools.localaws.ministack_process import MiniStackProcess

TOKEN_BYTES = 24
TOKEN_SECONDS = 30 * 86_400


def up(
    workdir: Path,
    progress: Progress,
    *,
    base_urls: Mapping[str, str] = MappingProxyType({}),
    added_servers: str = "",
    added_keys: Mapping[str, str] = MappingProxyType({}),
) -> LocalState:
    """Start what is not running yet, deploy, and write the environment file; returns what is up.

    `base_urls` has addresses by name to call in the simulator's place, `added_servers` what OPENAI_SERVERS says of
    servers in OpenAI's shape, `added_keys` their keys by variable. A failure ends what this call
    started, and nothing that was up before.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    state = LocalState.load(workdir)
    started: list[BackgroundProcess] = []
    try:
        simulator = _simulator(state, started, progress)
        stack = LocalStack(_ministack(state, started, progress), StackPlan())
        parameters = {**provider_parameters(simulator.urls, base_urls), "OpenAiServers": added_servers}
        stack.deploy(parameters, {**simulator_keys(), **added_keys}, progress)
    except BaseException:
        for process in started:
            process.stop()
        raise
    state.outputs, state.api_url = stack.outputs, stack.api_url
    # The same token as long as the stack is up, for the shells that know it.
    state.api_token = state.api_token or secrets.token_urlsafe(TOKEN_BYTES)
    ends_at = time.time() + TOKEN_SECONDS
    store_tokens(stack.client("secretsmanager"), [("local", state.api_token, ends_at)])
    state.save()
    write_exports(environment_file(workdir), exports(stack, simulator.urls, state.api_token), [link_command(workdir)])
    return state


def down(workdir: Path, progress: Progress) -> None:
    """End what is up; fine when nothing is."""
    state = LocalState.load(workdir)
    if state.ministack is None and state.simulator is None:
        progress("nothing is up")
    if state.ministack is not None:
        progress("stopping MiniStack")
        MiniStackProcess(BackgroundProcess(state.ministack), state.port, workdir).stop()
    if state.simulator is not None:
        progress("stopping the simulator")
        BackgroundProcess(state.simulator).stop()
    environment_file(workdir).unlink(missing_ok=True)
    if (folder := workdir / "bin").is_dir():
        (folder / COMMAND.name).unlink(missing_ok=True)
        folder.rmdir()
    state.forget()


def environment_file(workdir: Path) -> Path:
    """The exports that a shell sources to talk to the local stack."""
    return workdir / "env"


def link_command(workdir: Path) -> Path:
    """Give the command a folder of its own, which a PATH can begin with; returns the folder."""
    folder = workdir / "bin"
    folder.mkdir(exist_ok=True)
    link = folder / COMMAND.name
    link.unlink(missing_ok=True)
    link.symlink_to(COMMAND)
    return folder


def write_exports(path: Path, variables: Mapping[str, str], folders: Sequence[Path] = ()) -> None:
    """Write a file to be sourced by a shell, readable by its owner only; the PATH begins with the folders."""
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    lines += [f'export PATH={shlex.quote(str(folder))}:"$PATH"\n' for folder in folders]
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text("".join(lines), encoding="utf-8")


def exports(stack: LocalStack, simulator_urls: Mapping[str, str], api_token: str) -> dict[str, str]:
    """The AWS settings, the simulator's base URLs, each output under its name in upper snake case, the API."""
    outputs = {upper_snake(name): value for name, value in stack.outputs.items()}
    api = {"API_URL": stack.api_url, "API_TOKEN": api_token, "OPENAI_URL": stack.openai_url}
    return {**client_environment(stack.endpoint), **simulator_urls, **outputs, **api}


def upper_snake(name: str) -> str:
    """`RequestQueueUrl` becomes `REQUEST_QUEUE_URL`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def _simulator(state: LocalState, started: list[BackgroundProcess], progress: Progress) -> Simulator:
    running = state.running_simulator()
    if running is not None:
        progress("the simulator is already up")
        return running
    progress("starting the provider simulator")
    simulator = Simulator.start(state.workdir)
    started.append(simulator.process)
    state.simulator, state.urls = simulator.process.identity, simulator.urls
    state.save()
    return simulator


def _ministack(state: LocalState, started: list[BackgroundProcess], progress: Progress) -> MiniStackProcess:
    running = state.running_ministack()
    if running is not None:
        progress("MiniStack is already up; deploying again")
        return running
    if state.ministack is not None:
        # It may hang, or have left workers behind.
        BackgroundProcess(state.ministack).stop()
    progress("starting MiniStack (the first start after installation takes a while)")
    ministack = MiniStackProcess.start(state.workdir, detached=True)
    started.append(ministack.process)
    state.ministack, state.port = ministack.process.identity, ministack.port
    state.save()
    return ministack
