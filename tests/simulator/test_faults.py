"""Every kind of fault, seen with a plain client and with a bare socket."""

import socket
import time
from urllib.parse import urlsplit

import pytest
import requests

from tests.builders.captures import RECORDED
from tests.simulator.speaking import KEY, speak
from tools.simulator.client import SimulatorError
from tools.simulator.state.accounts import key_id


@pytest.mark.parametrize(("kind", "paid"), [("reset", {}), ("reset_after", {"hello": 1})])
def test_a_reset_is_a_real_rst_and_only_the_late_one_is_paid(simulator, control, kind, paid):
    control.fault(kind=kind, operation="speech")
    url = urlsplit(simulator.urls["OPENAI_BASE_URL"])
    body = b'{"model":"tts-1","voice":"alloy","input":"hello"}'
    head = f"POST {url.path}/audio/speech HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n"
    head += f"content-length: {len(body)}\r\n\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=600) as raw:
        raw.sendall(head.encode() + body)
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    assert control.paid() == paid


@pytest.mark.parametrize(("kind", "paid"), [("timeout", {}), ("timeout_after", {"hello": 1})])
def test_a_timeout_never_answers(simulator, control, kind, paid):
    control.fault(kind=kind, operation="speech")
    with pytest.raises(requests.ReadTimeout):
        speak(simulator, timeout=(30, 1.5))
    assert control.paid() == paid


def test_a_truncated_body_is_shorter_than_announced_and_paid(simulator, control):
    control.fault(kind="truncate", operation="speech")
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        speak(simulator)
    assert control.paid() == {"hello": 1}


def test_a_drip_delivers_the_whole_body(simulator, control):
    whole = speak(simulator).content
    control.fault(kind="drip", seconds_per_chunk=0.01, chunks=4)
    assert speak(simulator).content == whole


def test_a_drip_starts_the_answer_and_keeps_its_reader_waiting(simulator, control):
    control.fault(kind="drip", seconds_per_chunk=60, chunks=4)
    with pytest.raises(requests.exceptions.ConnectionError, match="Read timed out"):
        speak(simulator, timeout=(30, 0.5))
    assert control.paid() == {"hello": 1}


def test_a_wrong_content_type_is_html_with_200(simulator, control):
    control.fault(kind="wrong_content_type")
    answer = speak(simulator)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert control.paid() == {}


def test_latency_keeps_its_caller_waiting(simulator, control):
    control.fault(kind="latency", seconds=60)
    with pytest.raises(requests.ReadTimeout):
        speak(simulator, timeout=(30, 0.5))


def test_latency_lets_other_rules_apply(simulator, control):
    control.fault(kind="latency", seconds=0.01)
    control.fault(error="overloaded")
    assert speak(simulator).status_code == 503


def test_a_status_rule_may_give_status_body_and_headers(simulator, control):
    control.fault(status=418, body={"short": "stout"}, headers={"X-Pot": "tea"}, count=1)
    answer = speak(simulator)
    assert (answer.status_code, answer.json(), answer.headers["x-pot"]) == (418, {"short": "stout"}, "tea")
    control.fault(error="rate_limited", headers={"retry-after": "77"}, count=1)
    answer = speak(simulator)
    assert (answer.json()["error"]["code"], answer.headers["retry-after"]) == ("rate_limit_exceeded", "77")


def test_a_rule_meets_only_its_target(simulator, control):
    control.fault(vendor="fal", status=500)
    control.fault(operation="im*", status=500)
    control.fault(account="backup", status=501)
    control.fault(key=key_id("sim-openai-key-2"), status=502)
    control.fault(match='say "grüße"', status=503)
    keys = (KEY, "sim-openai-key-2", "sim-openai-key-3", "sim-openai-key-4")
    assert [speak(simulator, key=key).status_code for key in keys] == [200, 502, 501, 501]
    assert speak(simulator, 'please say "grüße" now').status_code == 503
    control.clear()
    control.fault(key=KEY, status=504)
    assert [speak(simulator, key=key).status_code for key in keys] == [504, 200, 200, 200]


def test_a_rule_ends_by_count_by_time_and_by_removal(simulator, control):
    control.fault(id="twice", status=500, count=2)
    assert [speak(simulator).status_code for _ in range(3)] == [500, 500, 200]
    control.fault(id="brief", status=501, for_seconds=0.001)
    deadline = time.monotonic() + 600
    while control.faults()[1]["active"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert speak(simulator).status_code == 200
    control.fault(id="lasting", status=502)
    assert speak(simulator).status_code == 502
    assert [(rule["id"], rule["active"]) for rule in control.faults()] == [
        ("twice", False),
        ("brief", False),
        ("lasting", True),
    ]
    control.clear("lasting")
    assert speak(simulator).status_code == 200


def test_probability_spares_some(simulator, control):
    control.fault(status=500, probability=0.5)
    assert {speak(simulator).status_code for _ in range(24)} == {200, 500}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, "needs 'error', 'capture' or 'status'"),
        ({"error": "gremlins"}, "'gremlins' is not one of"),
        ({"vendor": "fal", "error": "system_busy"}, "'system_busy' is not one of"),
        ({"vendor": "acme", "status": 500}, "'acme' is not simulated"),
        ({"kind": "explode"}, "kind: Input should be"),
        ({"status": 500, "colour": "red"}, "colour: Extra inputs"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_one_line(control, rule, message):
    with pytest.raises(SimulatorError, match=message) as caught:
        control.fault(**rule)
    assert "\n" not in str(caught.value)


def test_removing_a_rule_that_is_not_there_is_told(control):
    with pytest.raises(SimulatorError, match="no fault ghost"):
        control.clear("ghost")


@pytest.mark.parametrize("capture", RECORDED, ids=lambda capture: capture.id)
def test_a_recorded_answer_is_played_as_it_came(simulator, control, capture):
    control.fault(capture=capture.id, operation="speech", count=1)
    answer = speak(simulator)
    came = capture.content if isinstance(capture.body, str | None) else capture.body
    played = answer.content if isinstance(capture.body, str | None) else answer.json()
    assert (answer.status_code, played) == (capture.status, came)
    asked = {name: value for name, value in capture.headers.items() if name not in {"content-length", "date"}}
    assert {name: answer.headers.get(name) for name in asked} == asked


def test_an_answer_that_was_never_recorded_is_refused(control):
    with pytest.raises(SimulatorError, match="no answer 'nobody' is recorded"):
        control.fault(capture="nobody")
