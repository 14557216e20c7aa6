"""fal's queue: what is sent, what comes back, and which answers leave it open whether a job was taken."""

from __future__ import annotations

import pytest

from mediarelay.providers.api import Absent, Accepted, Finished, JobFailed, Ready, RemoteMedia, Running
from mediarelay.providers.registry import JOB_PROVIDERS
from mediarelay.vocabulary.outcome import Failure, Outcome

AUDIO, KLING = JOB_PROVIDERS["fal-stable-audio"], JOB_PROVIDERS["fal-kling"]
EFFECTS = JOB_PROVIDERS["fal-sound-effects"]
BASE = "https://queue.fal.run/fal-ai/stable-audio-25/requests/r-1"
SUBMITTED = {
    "request_id": "r-1",
    "status": "IN_QUEUE",
    "queue_position": 0,
    "response_url": BASE,
    "status_url": f"{BASE}/status",
    "cancel_url": f"{BASE}/cancel",
}
TASK = {
    "request_id": "r-1",
    "status_path": "/fal-ai/stable-audio-25/requests/r-1/status",
    "response_path": "/fal-ai/stable-audio-25/requests/r-1",
    "cancel_path": "/fal-ai/stable-audio-25/requests/r-1/cancel",
}


@pytest.fixture(scope="session")
def asked(call):
    return call("fal-stable-audio", duration=20.5)


def test_a_sound_is_asked_for_in_whole_seconds(asked):
    request = AUDIO.build_request(asked)
    assert (request.method, request.path) == ("POST", "/fal-ai/stable-audio-25/text-to-audio")
    assert request.json == {"prompt": "Waves.", "seconds_total": 21}


@pytest.mark.parametrize(("fields", "sent"), [({"duration": 2.5}, {"duration_seconds": 2.5}), ({}, {})])
def test_an_effect_is_asked_for_with_its_length_if_it_has_one(call, fields, sent):
    request = EFFECTS.build_request(call("fal-sound-effects", **fields))
    assert request.path == "/fal-ai/elevenlabs/sound-effects/v2"
    assert request.json == {"text": "Waves.", "output_format": "mp3_44100_128", **sent}


def test_an_effect_costs_by_the_second(call):
    assert EFFECTS.estimate_usd(call("fal-sound-effects", duration=4.0)) == pytest.approx(0.008)


def test_a_clip_is_asked_for_with_its_length_as_text(call):
    request = KLING.build_request(call("fal-kling", duration=10, aspect_ratio="1:1"))
    asked = {"prompt": "A lighthouse at dusk.", "duration": "10", "aspect_ratio": "1:1"}
    assert request.json == {**asked, "generate_audio": False}


@pytest.mark.parametrize(
    ("model", "options", "usd"),
    [
        ("fal-ai/kling-video/v3/pro/text-to-video", {}, 5 * 0.224),
        ("fal-ai/kling-video/v3/pro/text-to-video", {"generate_audio": False}, 5 * 0.224),
        ("fal-ai/kling-video/v3/pro/text-to-video", {"generate_audio": True}, 5 * 0.336),
        ("fal-ai/kling-video/v2.6/pro/text-to-video", {"generate_audio": True}, 5 * 0.14),
    ],
)
def test_a_clip_with_sound_costs_more(call, model, options, usd):
    assert KLING.estimate_usd(call("fal-kling", model=model, options=options)) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("provider", "fields", "words"),
    [
        ("fal-stable-audio", {"duration": 200.0}, "input.duration: 200; "),
        ("fal-stable-audio", {"model": "fal-ai/stable-audio", "duration": 48.0}, "input.duration: 48; "),
        ("fal-sound-effects", {"type": "music"}, "input.type: music; fal-sound-effects makes sfx only"),
        ("fal-sound-effects", {"duration": 23.0}, "input.duration: 23; "),
        ("fal-sound-effects", {"prompt": "x" * 451}, "input.prompt: 451 characters; "),
        ("fal-kling", {"duration": 6}, "input.duration: 6; "),
        ("fal-kling", {"image_url": "https://example.com/a.png"}, "input.image_url: "),
    ],
)
def test_what_they_do_not_serve_they_refuse(call, provider, fields, words):
    assert JOB_PROVIDERS[provider].refusal(call(provider, **fields)).startswith(words)


def test_the_returned_addresses_are_followed_without_their_hosts(asked, reply):
    answer = AUDIO.parse_submit(reply(200, SUBMITTED), asked)
    assert answer == Accepted(TASK)
    assert AUDIO.poll_request(TASK).path == TASK["status_path"]
    assert (AUDIO.cancel_request(TASK).method, AUDIO.cancel_request(TASK).path) == ("PUT", TASK["cancel_path"])


def test_an_address_on_another_host_cannot_lure_the_key_away(asked, reply):
    body = {**SUBMITTED, "status_url": "https://evil.example/steal"}
    answer = AUDIO.parse_submit(reply(200, body), asked)
    assert answer.task["status_path"] == "/steal"
    assert "evil" not in str(answer.task)


def test_missing_addresses_are_the_usual_ones_without_the_models_sub_path(asked, reply):
    assert AUDIO.parse_submit(reply(200, {"request_id": "r-1"}), asked) == Accepted(TASK)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, {"detail": "No user found for Key ID and Secret"}, Outcome.KEY_REJECTED),
        (403, {"detail": "User is locked. Reason: Exhausted balance."}, Outcome.QUOTA_EXHAUSTED),
        (403, {"detail": "no"}, Outcome.PERMISSION_DENIED),
        (404, {"detail": "Application not found"}, Outcome.MODEL_GONE),
        (422, {"detail": [{"type": "content_policy_violation", "msg": "x"}]}, Outcome.CONTENT_REJECTED),
        (422, {"detail": [{"type": "missing", "msg": "x"}]}, Outcome.INVALID_REQUEST),
        (500, {"detail": "x", "error_type": "internal_server_error"}, Outcome.PROVIDER_FAULT),
        (503, {"detail": "x", "error_type": "runner_scheduling_failure"}, Outcome.OVERLOADED),
        # The platform names what it refused; what does not name itself may have come after the job was taken.
        (500, b"oops", Outcome.TIMEOUT_SENT),
        (502, b"<html>", Outcome.TIMEOUT_SENT),
        (504, {"detail": "gateway"}, Outcome.TIMEOUT_SENT),
        (200, b"", Outcome.TIMEOUT_SENT),
        (200, {"status": "IN_QUEUE"}, Outcome.TIMEOUT_SENT),
        (202, {"request_id": ""}, Outcome.TIMEOUT_SENT),
    ],
)
def test_a_submit_that_was_not_plainly_taken(asked, reply, status, body, outcome):
    answer = AUDIO.parse_submit(reply(status, body), asked)
    assert isinstance(answer, Failure)
    assert answer.outcome is outcome


@pytest.mark.parametrize("word", ["IN_QUEUE", "IN_PROGRESS"])
def test_a_job_that_waits_or_works(asked, reply, word):
    assert AUDIO.parse_poll(reply(202, {"status": word}), asked) == Running()


def test_a_complete_job_has_its_result_elsewhere(asked, reply):
    assert AUDIO.parse_poll(reply(200, {"status": "COMPLETED", "logs": None}), asked) == Ready()
    assert AUDIO.result_request(TASK).path == TASK["response_path"]


@pytest.mark.parametrize(
    ("body", "outcome", "code"),
    [
        (
            {"error": "Runner disconnected", "error_type": "runner_disconnected"},
            Outcome.PROVIDER_FAULT,
            "runner_disconnected",
        ),
        (
            {"error": "no capacity", "error_type": "runner_scheduling_failure"},
            Outcome.OVERLOADED,
            "runner_scheduling_failure",
        ),
        ({"error": "boom"}, Outcome.PROVIDER_FAULT, "job_failed"),
        ({"error": "flagged by a content checker"}, Outcome.CONTENT_REJECTED, "job_failed"),
        (
            {"error": "x", "error_type": "content_policy_violation"},
            Outcome.CONTENT_REJECTED,
            "content_policy_violation",
        ),
    ],
)
def test_completed_with_an_error_is_a_failure(asked, reply, body, outcome, code):
    answer = AUDIO.parse_poll(reply(200, {"status": "COMPLETED", **body}), asked)
    assert isinstance(answer, JobFailed)
    assert (answer.failure.outcome, answer.failure.code) == (outcome, code)


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("body", [b"", {"status": "FAILED"}, {"status": "CANCELED"}, {"status": 7}, []])
def test_a_word_fal_does_not_have_says_nothing_about_the_job(asked, reply, status, body):
    assert isinstance(AUDIO.parse_poll(reply(status, body), asked), Failure)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (429, {"detail": "slow"}, Outcome.THROTTLED),
        (500, b"", Outcome.PROVIDER_FAULT),
        (401, b"", Outcome.KEY_REJECTED),
    ],
)
def test_a_question_that_went_wrong(asked, reply, status, body, outcome):
    answer = AUDIO.parse_poll(reply(status, body), asked)
    assert isinstance(answer, Failure)
    assert answer.outcome is outcome


def test_a_request_it_does_not_know_is_absent(asked, reply):
    assert AUDIO.parse_poll(reply(404, {"detail": "not found"}), asked) == Absent()
    assert AUDIO.parse_result(reply(404, {"detail": "not found"}), asked) == Absent()


@pytest.mark.parametrize("field", ["audio", "audio_file"])
def test_the_sound_is_where_either_model_puts_it(asked, reply, field):
    answer = AUDIO.parse_result(reply(200, {field: {"url": "https://v3.fal.media/a.wav"}}), asked)
    assert answer == Finished((RemoteMedia("https://v3.fal.media/a.wav"),), ("wav", "mp3", "flac"), 0.2)


def test_a_clip_is_priced_by_the_second(call, reply):
    answer = KLING.parse_result(reply(200, {"video": {"url": "https://v3.fal.media/a.mp4"}}), call("fal-kling"))
    assert (answer.formats, answer.cost_usd) == (("mp4",), pytest.approx(0.35))


def test_the_model_may_refuse_its_input_only_when_the_result_is_asked_for(asked, reply):
    answer = AUDIO.parse_result(reply(422, {"detail": [{"type": "content_policy_violation", "msg": "x"}]}), asked)
    assert isinstance(answer, JobFailed)
    assert answer.failure.outcome is Outcome.CONTENT_REJECTED


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"audio": {"url": "https', {}])
def test_a_result_that_cannot_be_read_is_asked_for_again(asked, reply, body):
    answer = AUDIO.parse_result(reply(200, body), asked)
    assert isinstance(answer, Failure)
    assert answer.outcome is Outcome.PROVIDER_FAULT


@pytest.mark.parametrize("body", [{"audio": {}}, {"audio": None, "seed": 1}, {"images": []}])
def test_a_result_without_media_ends_the_job_and_was_paid(asked, reply, body):
    answer = AUDIO.parse_result(reply(200, body), asked)
    assert isinstance(answer, JobFailed)
    assert answer.failure.outcome is Outcome.UNUSABLE_DELIVERY
