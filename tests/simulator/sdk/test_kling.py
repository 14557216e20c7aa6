"""Kling as its documentation has it: signed tokens, codes, slots per account, tasks of one's own account only."""

import time
from typing import Any

import jwt
import pytest
import requests

PAIR = ("sim-access", "sim-signing-secret-of-at-least-32-bytes")
TASK = {"model_name": "kling-v2-6", "prompt": "a lighthouse", "mode": "std", "duration": "5"}
INSTANT = {"*": {"*": {"kind": "fixed", "seconds": 0}}}
SLOW = {**INSTANT, "kling": {"task_run": {"kind": "fixed", "seconds": 60}}}


def token(**changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": PAIR[0], "exp": now + 1800, "nbf": now - 5, **changes}
    return jwt.encode(claims, changes.pop("signed_with", PAIR[1]), algorithm="HS256")


class Caller:
    def __init__(self, simulator: Any, key: str = "sim-kling-key-1") -> None:
        self.url = f"{simulator.urls['KLING_BASE_URL']}/v1/videos/text2video"
        self.headers = {"authorization": f"Bearer {key}"}

    def submit(self, **changes: Any) -> tuple[int, dict[str, Any]]:
        answer = requests.post(self.url, json={**TASK, **changes}, headers=self.headers, timeout=600)
        return answer.status_code, answer.json()

    def poll(self, name: str) -> tuple[int, dict[str, Any]]:
        answer = requests.get(f"{self.url}/{name}", headers=self.headers, timeout=600)
        return answer.status_code, answer.json()

    def finished(self, name: str) -> dict[str, Any]:
        for _ in range(30_000):
            data: dict[str, Any] = self.poll(name)[1]["data"]
            if data["task_status"] in ("succeed", "failed"):
                return data
            time.sleep(0.02)
        raise AssertionError("it never ended")


@pytest.fixture
def caller(simulator: Any) -> Caller:
    return Caller(simulator)


def test_a_task_succeeds_and_its_clip_can_be_fetched(caller: Caller, control: Any) -> None:
    status, answer = caller.submit()
    assert (status, answer["code"], answer["data"]["task_status"]) == (200, 0, "submitted")
    data = caller.finished(answer["data"]["task_id"])
    assert (data["task_status"], data["final_unit_deduction"]) == ("succeed", "1.5")
    (video,) = data["task_result"]["videos"]
    clip = requests.get(video["url"], timeout=600)
    assert (clip.headers["content-type"], clip.content[4:8]) == ("video/mp4", b"ftyp")
    assert control.paid("kling") == {"a lighthouse": 1}


def test_a_clip_is_served_from_an_offset_on(caller: Caller) -> None:
    url = caller.finished(caller.submit()[1]["data"]["task_id"])["task_result"]["videos"][0]["url"]
    whole = requests.get(url, timeout=600)
    rest = requests.get(url, headers={"range": "bytes=100-", "if-range": whole.headers["etag"]}, timeout=600)
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    other = requests.get(url, headers={"range": "bytes=100-", "if-range": '"another"'}, timeout=600)
    assert (other.status_code, other.content) == (200, whole.content)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({}, 200, 0),
        ({"exp": 1}, 401, 1004),
        ({"nbf": 9_999_999_999}, 401, 1003),
        ({"iss": "nobody"}, 401, 1002),
        ({"iss": ""}, 401, 1002),
    ],
)
def test_a_token_is_verified(simulator: Any, control: Any, changes: dict[str, Any], status: int, code: int) -> None:
    control.configure({"latency": INSTANT, "vendors": {"kling": {"a": {"keys": [":".join(PAIR)]}}}})
    assert (
        Caller(simulator, token(**changes)).submit()[0],
        Caller(simulator, token(**changes)).submit()[1]["code"],
    ) == (
        status,
        code,
    )


def test_a_token_signed_with_another_secret_is_refused(simulator: Any, control: Any) -> None:
    control.configure({"latency": INSTANT, "vendors": {"kling": {"a": {"keys": [":".join(PAIR)]}}}})
    forged = jwt.encode({"iss": PAIR[0], "exp": 9_999_999_999, "nbf": 0}, "x" * 32, algorithm="HS256")
    status, answer = Caller(simulator, forged).submit()
    assert (status, answer["code"]) == (401, 1000)


def test_an_unknown_key_is_refused(simulator: Any) -> None:
    status, answer = Caller(simulator, "nobodys-key").submit()
    assert (status, answer["code"]) == (401, 1002)


@pytest.mark.parametrize(
    "changes",
    [
        {"duration": "7"},
        {"duration": 5},
        {"mode": "max"},
        {"model_name": "sora"},
        {"prompt": None},
        {"image": "https://x"},
    ],
)
def test_a_bad_parameter_is_refused(caller: Caller, changes: dict[str, Any]) -> None:
    status, answer = caller.submit(**changes)
    assert (status, answer["code"]) == (400, 1201)


def test_slots_belong_to_the_account_and_are_held_to_the_end(simulator: Any, control: Any) -> None:
    accounts = {"a": {"keys": ["key-1", "key-2"], "concurrency": 1}, "b": {"keys": ["key-3"], "concurrency": 1}}
    control.configure({"latency": SLOW, "vendors": {"kling": accounts}})
    assert Caller(simulator, "key-1").submit()[0] == 200
    status, answer = Caller(simulator, "key-2").submit()
    assert (status, answer["code"]) == (429, 1303)
    assert Caller(simulator, "key-3").submit()[0] == 200
    gauges = {each["account"]: each["max_in_flight"] for each in control.stats()["accounts"]}
    assert gauges == {"a": 1, "b": 1}


def test_a_slot_comes_free_when_the_task_ends(simulator: Any, control: Any) -> None:
    control.configure({"latency": INSTANT, "vendors": {"kling": {"a": {"keys": ["key-1"], "concurrency": 1}}}})
    caller = Caller(simulator, "key-1")
    for _ in range(3):
        caller.finished(caller.submit()[1]["data"]["task_id"])


def test_a_task_is_found_by_the_callers_own_id_which_is_unique(caller: Caller) -> None:
    task = caller.submit(external_task_id="job-1#kling-video")[1]["data"]["task_id"]
    found = caller.poll("job-1%23kling-video")[1]["data"]
    assert (found["task_id"], found["task_info"]) == (task, {"external_task_id": "job-1#kling-video"})
    assert caller.submit(external_task_id="job-1#kling-video")[1]["code"] == 1201


def test_another_accounts_task_does_not_exist_and_another_key_is_counted(simulator: Any, control: Any) -> None:
    task = Caller(simulator).submit()[1]["data"]["task_id"]
    status, answer = Caller(simulator, "sim-kling-key-3").poll(task)
    assert (status, answer["code"], control.stats()["foreign_polls"]) == (404, 1203, 0)
    assert Caller(simulator, "sim-kling-key-2").poll(task)[0] == 200
    assert control.stats()["foreign_polls"] == 1


@pytest.mark.parametrize(("name", "code"), [("arrears", 1101), ("ip_refused", 1304), ("rate_limited", 1302)])
def test_a_429_may_mean_anything(caller: Caller, control: Any, name: str, code: int) -> None:
    control.fault(vendor="kling", operation="submit", error=name)
    status, answer = caller.submit()
    assert (status, answer["code"]) == (429, code)


def test_a_task_can_fail_and_is_not_charged(caller: Caller, control: Any) -> None:
    control.fault(vendor="kling", operation="task_run", error="server_error")
    data = caller.finished(caller.submit()[1]["data"]["task_id"])
    assert (data["task_status"], bool(data["task_status_msg"])) == ("failed", True)
    assert control.paid("kling") == {}


def test_a_task_can_get_stuck_or_vanish(caller: Caller, control: Any) -> None:
    stuck = control.fault(vendor="kling", operation="task_run", kind="timeout")
    task = caller.submit()[1]["data"]["task_id"]
    control.clear(stuck)
    control.fault(vendor="kling", operation="task_run", kind="reset")
    gone = caller.submit()[1]["data"]["task_id"]
    for _ in range(30_000):
        if caller.poll(gone)[0] == 404:
            break
        time.sleep(0.02)
    assert caller.poll(gone)[1]["code"] == 1203
    assert caller.poll(task)[1]["data"]["task_status"] == "processing"


def test_a_broken_media_host_is_a_fault_like_any_other(caller: Caller, control: Any) -> None:
    url = caller.finished(caller.submit()[1]["data"]["task_id"])["task_result"]["videos"][0]["url"]
    control.fault(vendor="kling", operation="media", status=403, count=1)
    assert [requests.get(url, timeout=600).status_code for _ in range(2)] == [403, 200]


def test_a_media_host_is_never_sent_a_key(caller: Caller, control: Any) -> None:
    url = caller.finished(caller.submit()[1]["data"]["task_id"])["task_result"]["videos"][0]["url"]
    assert requests.get(url, headers=caller.headers, timeout=600).status_code == 400
    assert control.stats()["leaked_credentials"] == 1
