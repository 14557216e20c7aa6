"""Kling: requests, tokens, states, and its error table with what must not match."""

from __future__ import annotations

import jwt
import pytest

from mediarelay.http.messages import HttpRequest
from mediarelay.providers.api import Absent, Accepted, Finished, JobFailed, RemoteMedia, Running
from mediarelay.providers.registry import JOB_PROVIDERS
from mediarelay.vocabulary.outcome import Failure, Outcome

KLING = JOB_PROVIDERS["kling-video"]
NOW = 1_795_000_000.0
SECRET = "obviously-fake-signing-secret-of-32-bytes"  # made up


@pytest.fixture(scope="session")
def asked(call):
    return call("kling-video")


def test_the_request_carries_the_jobs_own_id(asked):
    request = KLING.build_request(asked)
    assert (request.method, request.path) == ("POST", "/v1/videos/text2video")
    assert request.json == {
        "model_name": "kling-v2-6",
        "prompt": "A lighthouse at dusk.",
        "mode": "std",
        "duration": "5",
        "aspect_ratio": "16:9",
        "external_task_id": "job-1",
    }


def test_a_clip_that_begins_with_a_picture_has_a_path_of_its_own_and_no_ratio(call):
    request = KLING.build_request(call("kling-video", image_url="https://example.com/a.png"))
    assert request.path == "/v1/videos/image2video"
    assert request.json["image"] == "https://example.com/a.png"
    assert "aspect_ratio" not in request.json


def test_a_pair_of_access_and_secret_signs_a_token_for_half_an_hour():
    header = KLING.sign(HttpRequest("GET", "/", {}), f"access-1:{SECRET}", now=NOW).headers["authorization"]
    token = header.removeprefix("Bearer ")
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_nbf": False})
    assert claims == {"iss": "access-1", "exp": NOW + 1800, "nbf": NOW - 5}
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    assert SECRET not in header


def test_a_plain_key_is_sent_as_it_is():
    assert KLING.sign(HttpRequest("GET", "/", {}), "plain-key", now=NOW).headers == {
        "authorization": "Bearer plain-key"
    }


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"duration": 7}, "input.duration: 7; kling-video model kling-v2-6 takes 5 to 10 seconds in steps of 5"),
    ],
)
def test_what_it_does_not_serve_it_refuses(call, fields, words):
    assert KLING.refusal(call("kling-video", **fields)).startswith(words)


def test_the_newer_model_takes_any_whole_length(call):
    assert KLING.refusal(call("kling-video", model="kling-v3", duration=7)) is None


@pytest.mark.parametrize(("mode", "usd"), [("std", 0.42), ("pro", 0.7)])
def test_it_costs_by_the_second_and_mode(call, mode, usd):
    assert KLING.estimate_usd(call("kling-video", duration=10, mode=mode)) == pytest.approx(usd)


# --- answers ------------------------------------------------------------------------------------------------------


def ok(reply, **data):
    return reply(200, {"code": 0, "message": "SUCCEED", "request_id": "r", "data": data})


def test_an_accepted_task_is_followed_by_its_id_below_the_path_it_was_submitted_to(asked, reply):
    answer = KLING.parse_submit(ok(reply, task_id="t/1", task_status="submitted"), asked)
    assert answer == Accepted({"task_id": "t/1", "path": "/v1/videos/text2video"})
    assert KLING.poll_request(answer.task).path == "/v1/videos/text2video/t%2F1"
    assert KLING.cancel_request(answer.task) is None


def test_a_lost_submit_is_looked_up_by_our_own_id(asked, reply):
    assert KLING.lookup_request(asked).path == "/v1/videos/text2video/job-1"
    assert KLING.parse_lookup(ok(reply, task_id="t-1"), asked).task["task_id"] == "t-1"
    assert KLING.parse_lookup(reply(404, {"code": 1203, "message": "no"}), asked) == Absent()
    assert isinstance(KLING.parse_lookup(reply(500, b"oops"), asked), Failure)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", {"code": 0}, {"code": 0, "data": {}}, {"code": 0, "data": {"task_id": 7}}]
)
def test_a_success_without_a_task_may_still_be_one(asked, reply, body):
    answer = KLING.parse_submit(reply(200, body), asked)
    assert answer.outcome is Outcome.TIMEOUT_SENT


@pytest.mark.parametrize(
    ("status", "code", "outcome", "certain"),
    [
        (401, 1000, Outcome.KEY_REJECTED, True),
        (401, 1002, Outcome.KEY_REJECTED, True),
        (401, 1003, Outcome.KEY_REJECTED, False),
        (401, 1004, Outcome.KEY_REJECTED, False),
        (429, 1100, Outcome.QUOTA_EXHAUSTED, True),
        (429, 1101, Outcome.QUOTA_EXHAUSTED, True),
        (429, 1102, Outcome.QUOTA_EXHAUSTED, True),
        (403, 1103, Outcome.PERMISSION_DENIED, True),
        (400, 1200, Outcome.INVALID_REQUEST, True),
        (400, 1201, Outcome.INVALID_REQUEST, True),
        (404, 1202, Outcome.INVALID_REQUEST, True),
        (404, 1203, Outcome.MODEL_GONE, True),
        (400, 1300, Outcome.CONTENT_REJECTED, True),
        (400, 1301, Outcome.CONTENT_REJECTED, True),
        (429, 1302, Outcome.THROTTLED, True),
        (429, 1303, Outcome.THROTTLED, True),
        (429, 1304, Outcome.PERMISSION_DENIED, True),
        (500, 5000, Outcome.TIMEOUT_SENT, True),
        (503, 5001, Outcome.TIMEOUT_SENT, True),
        (504, 5002, Outcome.TIMEOUT_SENT, True),
    ],
)
def test_a_refusal_is_read_by_its_code(asked, reply, status, code, outcome, certain):
    failure = KLING.parse_submit(reply(status, {"code": code, "message": "because", "request_id": "r"}), asked)
    assert (failure.outcome, failure.code, failure.certain) == (outcome, str(code), certain)
    assert failure.message == "because"


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        # The status of a rate limit, but an empty balance; the status of a bad key, but a caller's slip.
        (429, {"code": 1101, "message": "x"}, Outcome.QUOTA_EXHAUSTED),
        (401, {"code": 1201, "message": "x"}, Outcome.INVALID_REQUEST),
        # No code of Kling's: the status is all there is.
        (429, {"message": "slow"}, Outcome.THROTTLED),
        (429, {"code": "1102"}, Outcome.THROTTLED),
        (429, {"code": True}, Outcome.THROTTLED),
        (401, b"denied", Outcome.KEY_REJECTED),
        (400, b"", Outcome.INVALID_REQUEST),
        (502, b"<html>", Outcome.TIMEOUT_SENT),
    ],
)
def test_a_status_alone_is_no_more_than_a_guess(asked, reply, status, body, outcome):
    assert KLING.parse_submit(reply(status, body), asked).outcome is outcome


@pytest.mark.parametrize("state", ["submitted", "processing"])
def test_a_task_at_work(asked, reply, state):
    assert KLING.parse_poll(ok(reply, task_status=state), asked) == Running()


def test_a_task_that_succeeded_is_said_to_succeed_and_priced_by_its_units(asked, reply):
    videos = [{"id": "v", "url": "https://cdn.klingai.com/v.mp4", "duration": "5.1"}]
    body = {"task_status": "succeed", "task_result": {"videos": videos}, "final_unit_deduction": "2"}
    answer = KLING.parse_poll(ok(reply, **body), asked)
    assert answer == Finished((RemoteMedia("https://cdn.klingai.com/v.mp4"),), ("mp4",), pytest.approx(0.28))


@pytest.mark.parametrize(
    "data",
    [
        {"task_status": "dreaming"},
        {},
    ],
)
def test_what_is_no_state_of_kling_says_nothing_about_the_task(asked, reply, data):
    answer = KLING.parse_poll(ok(reply, **data), asked)
    assert isinstance(answer, Failure)
    assert answer.outcome is Outcome.PROVIDER_FAULT


@pytest.mark.parametrize("data", [{}, {"task_result": {"videos": []}}])
def test_a_task_that_succeeded_without_a_video_was_paid_in_vain(asked, reply, data):
    answer = KLING.parse_poll(ok(reply, task_status="succeed", **data), asked)
    assert isinstance(answer, JobFailed)
    assert answer.failure.outcome is Outcome.UNUSABLE_DELIVERY


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("The content violates our policy", Outcome.CONTENT_REJECTED),
        ("Sensitive words in the prompt", Outcome.CONTENT_REJECTED),
        ("Failure to pass the risk control system", Outcome.CONTENT_REJECTED),
        ("internal rendering error", Outcome.PROVIDER_FAULT),
        ("", Outcome.PROVIDER_FAULT),
    ],
)
def test_a_failed_task_is_the_contents_fault_only_when_it_says_so(asked, reply, reason, outcome):
    answer = KLING.parse_poll(ok(reply, task_status="failed", task_status_msg=reason), asked)
    assert isinstance(answer, JobFailed)
    assert answer.failure.outcome is outcome
    assert answer.failure.message


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (429, {"code": 1302}, Outcome.THROTTLED),
        (401, {"code": 1002}, Outcome.KEY_REJECTED),
        (500, {"code": 5000}, Outcome.PROVIDER_FAULT),
        (503, {"code": 5001}, Outcome.OVERLOADED),
        (502, b"", Outcome.PROVIDER_FAULT),
    ],
)
def test_a_question_that_went_wrong_bought_nothing(asked, reply, status, body, outcome):
    answer = KLING.parse_poll(reply(status, body), asked)
    assert isinstance(answer, Failure)
    assert answer.outcome is outcome


def test_a_task_it_does_not_know_is_absent(asked, reply):
    assert KLING.parse_poll(reply(404, {"code": 1203, "message": "no"}), asked) == Absent()
    assert KLING.parse_poll(reply(404, b""), asked) != Absent(), "some gateway's 404 is nobody's word"
