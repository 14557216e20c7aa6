import re
import signal
import subprocess
from types import SimpleNamespace

import pytest

from tools.localaws.anchors import (
    UpstreamChangedError,
    expect_attributes,
    expect_function,
    replace_once,
)
from tools.localaws.fixes import FIXES, MODULES, UnknownFixError, choose_fixes
from tools.localaws.fixes.lambda_functions.function_failure import exit_failure, payload_of
from tools.localaws.ministack_process import LAUNCHER, MINISTACK_PYTHON
from tools.localaws.start import pinned_version

FOLDER = LAUNCHER.with_name("fixes")
UPSTREAM = SimpleNamespace(__name__="upstream", send=lambda data, url: (data, url), table={})


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [("all", FIXES), ("none", ()), ("", ()), ("ttl, alarms", ("alarms", "ttl"))],
)
def test_fixes_are_chosen_by_name_and_applied_in_order(selection, chosen):
    assert choose_fixes(selection) == chosen


def test_an_unknown_fix_is_refused_by_name():
    with pytest.raises(UnknownFixError, match="names tll; known: lambda_errors"):
        choose_fixes("ttl,tll")


def test_every_fix_is_a_module_and_every_module_is_listed():
    hooking = {path.stem: path for path in FOLDER.glob("*/*.py") if "def apply()" in path.read_text()}
    assert set(hooking) == set(FIXES)


def test_every_fix_says_what_aws_does_what_stock_does_and_why_it_matters():
    for module in MODULES:
        text = (FOLDER / f"{module.replace('.', '/')}.py").read_text()
        assert re.search(r"^AWS: .*^Stock: .*^Matters: ", text, re.DOTALL | re.MULTILINE), module


def test_an_anchor_is_returned_when_it_is_as_expected():
    assert expect_function(UPSTREAM, "send", "data", "url") is UPSTREAM.send
    expect_attributes(UPSTREAM, "send", "table")


@pytest.mark.parametrize(
    ("check", "message"),
    [
        (lambda: expect_function(UPSTREAM, "receive", "url"), "upstream.receive is gone"),
        (lambda: expect_function(UPSTREAM, "send", "data"), r"upstream.send takes \('data', 'url'\)"),
        (lambda: expect_attributes(UPSTREAM, "table", "queue"), "upstream has lost queue"),
        (lambda: replace_once("aba", "a", "c"), "found 2 times: 'a'"),
        (lambda: replace_once("b", "a", "c"), "found 0 times"),
    ],
)
def test_an_anchor_that_changed_fails_loudly(check, message):
    with pytest.raises(UpstreamChangedError, match=message):
        check()


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (3, "with error: exit status 3"),
        (-signal.SIGKILL, "with error: signal: SIGKILL"),
        (0, "without providing a reason"),
        (None, "without providing a reason"),
    ],
)
def test_an_exit_error_tells_how_the_process_ended(code, how):
    payload = payload_of(exit_failure(code, "id-1"))
    assert payload == {"errorMessage": f"RequestId: id-1 Error: Runtime exited {how}", "errorType": "Runtime.ExitError"}


def test_a_message_that_is_already_as_on_aws_is_left_alone():
    assert payload_of("Task timed out after 3.00 seconds") is None


def test_the_pinned_version_is_the_locked_one():
    lock = (LAUNCHER.parents[2] / "requirements" / "ministack.txt").read_text()
    assert re.search(rf"^ministack=={re.escape(pinned_version())} ", lock, re.MULTILINE)


def test_the_launcher_refuses_another_version():
    code = (
        "import importlib.metadata as m, runpy, sys; m.version = lambda name: '1.5.34'; "
        "runpy.run_path(sys.argv[1], run_name='__main__')"
    )
    done = subprocess.run(  # noqa: S603  (the launcher itself)
        [MINISTACK_PYTHON, "-c", code, LAUNCHER], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 1
    assert f"verified against ministack {pinned_version()}, this is 1.5.34" in done.stderr


def test_the_launcher_refuses_an_unknown_fix(tmp_path):
    environment = {"MEDIARELAY_LOCAL_FIXES": "nonsense"}
    done = subprocess.run(  # noqa: S603  (the launcher itself)
        [MINISTACK_PYTHON, LAUNCHER],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 1
    assert "MEDIARELAY_LOCAL_FIXES names nonsense" in done.stderr
