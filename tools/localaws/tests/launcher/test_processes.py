import os
import signal
import socket
import sys
from dataclasses import replace

import pytest

from tools.localaws.background_process import BackgroundProcess, ProcessIdentity, log_tail
from tools.localaws.ministack_process import LAUNCHER, MiniStackError, MiniStackProcess
from tools.localaws.ports import LOOPBACK, free_port
from tools.localaws.tests.server import until

SLEEPS = "import time; time.sleep(600)"
# Ends when told to, and leaves a child that does not.
LEAVES_A_CHILD = f"""
import signal, subprocess, sys, time
stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); {SLEEPS}"
subprocess.Popen([sys.executable, "-c", stubborn])
time.sleep(600)
"""


@pytest.fixture
def start(tmp_path):
    started = []

    def start(code):
        process = BackgroundProcess.start(
            [sys.executable, "-c", code], environment={}, cwd=tmp_path, log=tmp_path / "log"
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.stop()


def test_a_process_is_known_by_pid_and_start(start):
    process = start(SLEEPS)
    assert process.running()
    assert ProcessIdentity.of(process.identity.pid) == process.identity
    process.stop()
    assert not process.running()


def test_stopping_ends_what_the_process_left_behind(start, tmp_path):
    process = start(LEAVES_A_CHILD)
    until(lambda: "ready" in (tmp_path / "log").read_text())
    process.stop()
    assert not process.identity.group_remains()


def test_stopping_twice_is_fine(start):
    process = start(SLEEPS)
    process.stop()
    process.stop()


def test_a_process_that_only_has_the_same_pid_is_left_alone(start):
    process = start(SLEEPS)
    stale = BackgroundProcess(replace(process.identity, started="another time"))
    assert not stale.running()
    stale.stop()
    assert process.running()


def test_a_pid_nobody_has_has_no_identity(start):
    process = start("pass")
    process.child.wait()
    assert ProcessIdentity.of(process.identity.pid) is None


def test_this_process_is_running():
    assert ProcessIdentity.of(os.getpid()).running()


def test_a_free_port_can_be_listened_on():
    with socket.socket() as listener:
        listener.bind((LOOPBACK, free_port()))


def test_the_tail_of_a_log_says_where_the_rest_is(tmp_path):
    log = tmp_path / "log"
    log.write_text("\n".join(map(str, range(100))))
    assert log_tail(log, lines=2) == f"end of {log}:\n  | 98\n  | 99"
    assert log_tail(tmp_path / "none") == f"(there is no {tmp_path / 'none'})"


FOLLOWS = f"""
import os, sys, time
sys.path.insert(0, {str(LAUNCHER.parents[2])!r})
from tools.localaws.owner import follow_owner
os.setsid()
follow_owner()
print(os.getpid(), flush=True)
time.sleep(600)
"""
OWNS = """
import os, subprocess, sys, time
os.environ["MEDIARELAY_LOCAL_OWNER"] = str(os.getpid())
subprocess.Popen([sys.executable, "-c", sys.argv[1]])
time.sleep(600)
"""


def test_a_server_ends_when_its_owner_is_killed(tmp_path):
    log = tmp_path / "log"
    owner = BackgroundProcess.start([sys.executable, "-c", OWNS, FOLLOWS], environment={}, cwd=tmp_path, log=log)
    server = ProcessIdentity.of(int(until(lambda: log.exists() and log.read_text())))
    assert server.running()
    os.kill(owner.identity.pid, signal.SIGKILL)
    until(lambda: not server.running())
    owner.stop()


def test_ministack_that_cannot_start_says_why_and_leaves_nothing(tmp_path):
    with pytest.raises(MiniStackError, match=r"(?s)ended while starting.*names nonsense"):
        MiniStackProcess.start(tmp_path, settings={"MEDIARELAY_LOCAL_FIXES": "nonsense"})
    assert [path.name for path in tmp_path.iterdir()] == ["ministack.log"]
