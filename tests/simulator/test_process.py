import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from mediarelay.providers.listing import base_url_variables
from tools.simulator.process import SimulatorProcess, SimulatorStartError


def test_the_process_tells_its_urls_and_ends_with_the_block():
    with SimulatorProcess(config={"latency": {}}) as running:
        assert set(running.urls) == {*base_url_variables().values(), "FAL_JWKS_URL"}
        assert running.client.stats()["requests"] == 0
        assert running.pid > 0
        address = running.client.base_url
    with pytest.raises(requests.ConnectionError):
        requests.get(address, timeout=600)


def test_a_taken_port_is_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(
                SimulatorStartError, match=rf"port {port} on 127.0.0.1 can't be used: Address already in use"
            ),
            SimulatorProcess(port=port),
        ):
            pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_with_a_request_hanging(tmp_path, number):
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "tools.simulator", "--port", "0", "--ready-file", str(ready)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        process.stdout.readline()
        urls = json.loads(ready.read_text())["urls"]
        assert [process.stdout.readline() for _ in urls] == [f"export {name}={url}\n" for name, url in urls.items()]
        admin = json.loads(ready.read_text())["admin"]
        requests.post(f"{admin}/_control", json={"kind": "timeout"}, timeout=600)
        host, port = admin.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as hanging:
            hanging.sendall(b"GET /openai/v1/models HTTP/1.1\r\nhost: x\r\n\r\n")
            while not requests.get(f"{admin}/_stats", timeout=600).json()["in_flight"]:
                pass
            process.send_signal(number)
            assert process.wait(600) == 0
        assert "Traceback" not in process.stdout.read()


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not JSON"), ('{"speed": 1}', "speed: Extra inputs"), (None, "cannot read")]
)
def test_a_bad_configuration_file_is_one_clear_line(tmp_path, content, message):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    command = [sys.executable, "-m", "tools.simulator", "--port", "0", "--config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_it_ends_with_the_process_that_started_it():
    """However that ends: a test run that is killed leaves no simulator behind."""
    start = "from tools.simulator.process import SimulatorProcess as S; s = S().__enter__(); print(s.pid, flush=True)"
    command = [sys.executable, "-c", f"{start}; input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        owner.kill()
    status = Path(f"/proc/{pid}/stat")
    deadline = time.monotonic() + 600
    while status.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not status.exists()
