"""Replicate: requests, states, and its error table with what must not match."""

from __future__ import annotations

import pytest

from mediarelay.http.messages import HttpRequest
from mediarelay.providers.api import Absent, Accepted, Finished, JobFailed, RemoteMedia, Running
from mediarelay.providers.registry import JOB_PROVIDERS
from mediarelay.vocabulary.outcome import Failure, Outcome

REPLICATE = JOB_PROVIDERS["replicate-video"]
TASK = {"path": "/v1/predictions/p-1"}
CLIP = "https://replicate.delivery/xezq/clip.mp4"


@pytest.fixture(scope="session")
def asked(call):
    return call("replicate-video")


def problem(status, title="Problem", detail="no", **more):
    return {"title": title, "detail": detail, "status": status, **more}


def test_a_clip_is_asked_of_the_official_model(asked):
    request = REPLICATE.build_request(asked)
    assert (request.method, request.path) == ("POST", "/v1/models/kwaivgi/kling-v2.5-turbo-pro/predictions")
    assert request.json == {"input": {"prompt": "A lighthouse at dusk.", "duration": 5, "aspect_ratio": "16:9"}}
    assert REPLICATE.sign(HttpRequest("GET", "/", {}), "r8_fake", now=0.0).headers == {
        "authorization": "Bearer r8_fake"
    }
    assert REPLICATE.estimate_usd(asked) == pytest.approx(0.35)


def test_a_clip_that_begins_with_a_picture_has_its_shape(call):
    given = REPLICATE.build_request(call("replicate-video", image_url="https://example.com/a.png")).json["input"]
    assert given["start_image"] == "https://example.com/a.png"
    assert "aspect_ratio" not in given


def test_options_are_further_inputs(call):
    request = REPLICATE.build_request(call("replicate-video", options={"negative_prompt": "fog"}))
    assert request.json["input"]["negative_prompt"] == "fog"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"duration": 7}, "input.duration: 7; "),
    ],
)
def test_what_it_does_not_serve_it_refuses(call, fields, words):
    assert REPLICATE.refusal(call("replicate-video", **fields)).startswith(words)


def test_other_kinds_are_not_its_own(call):
    assert REPLICATE.refusal(call("openai-tts")) == "kind: replicate-video makes video only"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_accepted_prediction_is_known_by_its_id_alone(asked, reply, status):
    body = {"id": "p-1", "status": "starting", "urls": {"get": "https://elsewhere.invalid/p-1"}}
    assert REPLICATE.parse_submit(reply(status, body), asked) == Accepted(TASK)


def test_a_strange_id_stays_one_part_of_the_path(asked, reply):
    answer = REPLICATE.parse_submit(reply(201, {"id": "../a?b"}), asked)
    assert answer == Accepted({"path": "/v1/predictions/..%2Fa%3Fb"})


def test_an_id_that_is_no_text_raises_nothing(asked, reply):
    answer = REPLICATE.parse_submit(reply(201, b'{"id": "\\ud800"}'), asked)
    assert answer == Accepted({"path": "/v1/predictions/%3F"})


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, problem(401, "Unauthenticated"), Outcome.KEY_REJECTED),
        (402, problem(402, "Insufficient credit"), Outcome.QUOTA_EXHAUSTED),
        (403, problem(403), Outcome.PERMISSION_DENIED),
        (404, problem(404), Outcome.MODEL_GONE),
        (422, problem(422, "Input validation failed"), Outcome.INVALID_REQUEST),
        (429, problem(429, detail="Request was throttled. Your rate limit resets in ~9s."), Outcome.THROTTLED),
        (500, problem(500), Outcome.PROVIDER_FAULT),
        (503, problem(503), Outcome.OVERLOADED),
        # What is not the platform's own word may come from a gateway, after the prediction was made.
        (500, b"", Outcome.TIMEOUT_SENT),
        (502, b"<html>bad gateway</html>", Outcome.TIMEOUT_SENT),
        (503, {"error": "no"}, Outcome.TIMEOUT_SENT),
        (201, {"status": "starting"}, Outcome.TIMEOUT_SENT),
        (200, b"", Outcome.TIMEOUT_SENT),
    ],
)
def test_a_submit_that_is_not_accepted(asked, reply, status, body, outcome):
    answer = REPLICATE.parse_submit(reply(status, body), asked)
    assert isinstance(answer, Failure)
    assert answer.outcome is outcome


def test_a_refusal_that_only_a_status_tells_is_a_guess(asked, reply):
    """A bare 401, 402 or 404 may be some proxy's."""
    for status in (401, 402, 404, 429):
        answer = REPLICATE.parse_submit(reply(status, b"no"), asked)
        assert isinstance(answer, Failure)
        assert not answer.certain


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (problem(429, detail="Request was throttled.", retry_after=7), 7.0),
        (problem(429, detail="Request was throttled. Your rate limit resets in ~9s."), 9.0),
    ],
)
def test_the_wait_is_what_the_vendor_says(asked, reply, body, seconds):
    assert REPLICATE.parse_submit(reply(429, body), asked).wait_seconds == seconds


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"status": "starting"}, Running()),
        ({"status": "processing"}, Running()),
        ({"status": "succeeded", "output": CLIP}, Finished((RemoteMedia(CLIP),), ("mp4",), 0.35)),
        ({"status": "succeeded", "output": [CLIP]}, Finished((RemoteMedia(CLIP),), ("mp4",), 0.35)),
        ({"status": "succeeded", "output": None, "data_removed": True}, Absent()),
    ],
)
def test_a_poll_tells_the_state(asked, reply, body, answer):
    found = REPLICATE.parse_poll(reply(200, body), asked)
    assert found == (answer if not isinstance(answer, Finished) else Finished(answer.media, ("mp4",), found.cost_usd))
    assert not isinstance(found, Finished) or found.cost_usd == pytest.approx(answer.cost_usd)


@pytest.mark.parametrize(
    ("status", "reason", "outcome"),
    [
        ("failed", "The input or output was flagged as sensitive. Please try again. (E005)", Outcome.CONTENT_REJECTED),
        ("failed", "NSFW content detected", Outcome.CONTENT_REJECTED),
        ("failed", "CUDA out of memory", Outcome.PROVIDER_FAULT),
        ("failed", None, Outcome.PROVIDER_FAULT),
        ("canceled", None, Outcome.PROVIDER_FAULT),
        ("aborted", None, Outcome.PROVIDER_FAULT),
    ],
)
def test_a_failed_prediction_is_a_success_of_http(asked, reply, status, reason, outcome):
    found = REPLICATE.parse_poll(reply(200, {"status": status, "error": reason}), asked)
    assert isinstance(found, JobFailed)
    assert (found.failure.outcome, found.failure.code) == (outcome, f"prediction_{status}")


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"status": "dreaming"}),
        (200, b"[]"),
        (500, b""),
        (401, problem(401)),
    ],
)
def test_an_answer_that_says_nothing_of_the_job_is_a_failed_question(asked, reply, answer):
    assert isinstance(REPLICATE.parse_poll(reply(*answer), asked), Failure)


@pytest.mark.parametrize("output", [None, [], ["ftp://x"]])
def test_a_prediction_that_succeeded_without_media_was_paid_in_vain(asked, reply, output):
    answer = REPLICATE.parse_poll(reply(200, {"status": "succeeded", "output": output}), asked)
    assert isinstance(answer, JobFailed)
    assert answer.failure.outcome is Outcome.UNUSABLE_DELIVERY


def test_a_prediction_that_nobody_knows_is_absent(asked, reply):
    assert REPLICATE.parse_poll(reply(404, problem(404)), asked) == Absent()
    assert REPLICATE.parse_result(reply(404, problem(404)), asked) == Absent()


def test_it_is_polled_and_cancelled_at_its_own_paths(asked):
    assert (REPLICATE.poll_request(TASK).method, REPLICATE.poll_request(TASK).path) == ("GET", TASK["path"])
    stop = REPLICATE.cancel_request(TASK)
    assert (stop.method, stop.path) == ("POST", "/v1/predictions/p-1/cancel")
    assert REPLICATE.lookup_request(asked) is None
