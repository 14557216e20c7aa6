"""`python -m tools.local up | down | status`: the local stack in the background."""

import os
import sys
import time
from collections.abc import Sequence

from mediarelay.providers.listing import base_url_variables
from mediarelay.providers.openai.parsing import SERVERS_VARIABLE, parse_servers
from mediarelay.providers.parsing import BASE_URLS_VARIABLE, InvalidBaseUrls, parse_base_urls
from tools.local.deploy import DeployError
from tools.local.lifecycle import down, environment_file, up
from tools.local.project import ROOT, WORKDIR
from tools.local.simulator import SimulatorError, keys_of
from tools.local.state import LocalState
from tools.localaws.ministack_process import MiniStackError
from tools.localaws.ports import LOOPBACK

USAGE = "usage: python -m tools.local up | down | status"
INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 when it worked, 1 when it did not (or nothing is up), 2 when it is not known."""
    command = {"up": _up, "down": _down, "status": _status}.get(" ".join(arguments))
    if command is None:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return command()
    except (DeployError, InvalidBaseUrls, MiniStackError, SimulatorError) as error:
        print(f"mediarelay: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mediarelay: interrupted; what this command started has been stopped", file=sys.stderr)
        return INTERRUPTED


def _up() -> int:
    started = time.monotonic()
    base_urls = parse_base_urls(os.environ.get(BASE_URLS_VARIABLE, ""), base_url_variables())
    added = os.environ.get(SERVERS_VARIABLE, "")
    servers = parse_servers(added, local=True)
    if servers.faults:
        raise DeployError("; ".join(servers.faults.values()))
    state = up(
        WORKDIR,
        lambda step: print(f"{time.monotonic() - started:6.1f} s  {step}", flush=True),
        base_urls=base_urls,
        added_servers=added,
        added_keys=keys_of(servers.vendors, os.environ),
    )
    environment = environment_file(WORKDIR).relative_to(ROOT)
    print(f"""
The stack is up at http://{LOOPBACK}:{state.port}, and stays up until `make local-down`.

  source {environment}
  mediarelay say "hello" -o hello.mp3
  aws --endpoint-url "$AWS_ENDPOINT_URL" sqs send-message --queue-url "$REQUEST_QUEUE_URL" \\
    --message-body '{{"kind":"tts","input":{{"text":"hello"}}}}'
  curl -H "authorization: Bearer $API_TOKEN" "${{API_URL}}api/v1/providers/health"
  export OPENAI_BASE_URL=$(mediarelay url openai) OPENAI_API_KEY=$API_TOKEN    # for any program with an OpenAI SDK

Dashboard: {state.api_url} (it asks for a token: API_TOKEN in {environment})
Logs: {WORKDIR.relative_to(ROOT)}/ministack.log, simulator.log and sam.log.""")
    return 0


def _down() -> int:
    down(WORKDIR, lambda step: print(step, flush=True))
    return 0


def _status() -> int:
    state = LocalState.load(WORKDIR)
    ministack, simulator = state.running_ministack(), state.running_simulator()
    print(f"MiniStack  {ministack.endpoint if ministack else 'is down'}")
    print(f"simulator  {'is up' if simulator else 'is down'}")
    for name, value in {**state.urls, **state.outputs, "ApiUrl": state.api_url}.items() if ministack else ():
        print(f"  {name} = {value}")
    return 0 if ministack and simulator else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
