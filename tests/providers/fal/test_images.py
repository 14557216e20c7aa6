"""fal's synchronous host: its error table, requests, the safety filter, prices."""

from __future__ import annotations

import pytest

from mediarelay.providers.api import RemoteMedia
from mediarelay.providers.fal.flux import FalFlux, FalFlux2
from mediarelay.vocabulary.outcome import Outcome

PROVIDER = FalFlux()


def model_error(kind):
    return {"detail": [{"loc": ["body", "prompt"], "msg": "words", "type": kind, "url": "https://docs.example"}]}


def platform(kind):
    return {"detail": "words", "error_type": kind}


def said(text):
    return {"detail": text}


RETRYABLE, FINAL = {"x_fal_retryable": "true"}, {"x_fal_retryable": "false"}
# status, body, headers -> outcome, code, certain
ROWS = [
    (401, said("No user found for Key ID and Secret"), {}, Outcome.KEY_REJECTED, "invalid_key", True),
    (
        *(401, said("Cannot access application 'fal-ai/flux'. Authentication is required to access it."), {}),
        *(Outcome.KEY_REJECTED, "invalid_key", True),
    ),
    (401, said("Invalid Key Authorization header format. Expected"), {}, Outcome.KEY_REJECTED, "invalid_key", True),
    (401, said("something else"), {}, Outcome.KEY_REJECTED, "http_401", False),
    (
        *(403, said("User is locked. Reason: Exhausted balance. Top up your balance at the dashboard."), {}),
        *(Outcome.QUOTA_EXHAUSTED, "exhausted_balance", True),
    ),
    (403, said("User is locked. Reason: Terms of service"), {}, Outcome.QUOTA_EXHAUSTED, "account_locked", True),
    (403, said("Forbidden"), {}, Outcome.PERMISSION_DENIED, "http_403", False),
    (500, said("User is locked. Reason: Exhausted balance"), {}, Outcome.PROVIDER_FAULT, "http_500", False),
    (402, said("Insufficient credits"), {}, Outcome.QUOTA_EXHAUSTED, "said_quota_exhausted", True),
    (404, said("Application 'flux' not found"), {}, Outcome.MODEL_GONE, "application_not_found", False),
    (
        *(422, model_error("content_policy_violation"), {}),
        *(Outcome.CONTENT_REJECTED, "content_policy_violation", True),
    ),
    (
        *(422, {"detail": [*model_error("missing")["detail"], *model_error("content_policy_violation")["detail"]]}, {}),
        *(Outcome.CONTENT_REJECTED, "missing", True),
    ),
    (422, model_error("missing"), {}, Outcome.INVALID_REQUEST, "missing", True),
    (422, model_error("image_too_large"), {}, Outcome.INVALID_REQUEST, "image_too_large", True),
    (422, b"", {}, Outcome.INVALID_REQUEST, "http_422", False),
    (
        *(400, platform("downstream_service_error"), RETRYABLE),
        *(Outcome.PROVIDER_FAULT, "downstream_service_error", True),
    ),
    (400, platform("downstream_service_error"), FINAL, Outcome.INVALID_REQUEST, "downstream_service_error", True),
    (400, platform("downstream_service_error"), {}, Outcome.INVALID_REQUEST, "downstream_service_error", True),
    (400, said("Bad request"), RETRYABLE, Outcome.INVALID_REQUEST, "http_400", False),
    (429, said("Too many requests"), {}, Outcome.THROTTLED, "concurrency_limit", False),
    (429, b"", {}, Outcome.THROTTLED, "concurrency_limit", False),
    (500, model_error("internal_server_error"), {}, Outcome.PROVIDER_FAULT, "internal_server_error", True),
    (
        500,
        platform("downstream_service_unavailable"),
        {},
        Outcome.PROVIDER_FAULT,
        "downstream_service_unavailable",
        True,
    ),
    (503, platform("runner_scheduling_failure"), {}, Outcome.OVERLOADED, "runner_scheduling_failure", True),
    (503, platform("runner_connection_timeout"), {}, Outcome.PROVIDER_FAULT, "runner_connection_timeout", True),
    (503, platform("runner_disconnected"), {}, Outcome.PROVIDER_FAULT, "runner_disconnected", True),
    (503, platform("runner_connection_refused"), {}, Outcome.PROVIDER_FAULT, "runner_connection_refused", True),
    (503, platform("runner_of_next_year"), {}, Outcome.OVERLOADED, "runner_of_next_year", False),
    (503, b"", {"x_fal_error_type": "runner_disconnected"}, Outcome.PROVIDER_FAULT, "runner_disconnected", True),
    # Server errors are not billed, so a time-out is no reason to suspect a purchase.
    (504, platform("request_timeout"), {}, Outcome.PROVIDER_FAULT, "request_timeout", True),
    (504, platform("startup_timeout"), {}, Outcome.PROVIDER_FAULT, "startup_timeout", True),
    (504, model_error("generation_timeout"), {}, Outcome.PROVIDER_FAULT, "generation_timeout", True),
    (
        *(504, platform("request_timeout"), {"x_fal_request_timeout_type": "user"}),
        *(Outcome.PROVIDER_FAULT, "request_timeout", True),
    ),
    (504, b"<html>", {}, Outcome.PROVIDER_FAULT, "timeout", False),
    (200, b"<html>", {"content_type": "text/html"}, Outcome.UNUSABLE_DELIVERY, "wrong_content_type", True),
    (200, {"images": []}, {}, Outcome.UNUSABLE_DELIVERY, "unexpected_answer", True),
    (200, {"images": [{"url": "file:///etc/hosts"}]}, {}, Outcome.UNUSABLE_DELIVERY, "unexpected_answer", True),
    (200, {"images": {"url": "https://m.example/1"}}, {}, Outcome.UNUSABLE_DELIVERY, "unexpected_answer", True),
    (200, [1], {}, Outcome.UNUSABLE_DELIVERY, "unexpected_answer", True),
    (200, model_error("content_policy_violation"), {}, Outcome.CONTENT_REJECTED, "content_policy_violation", True),
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]}-{row[4]}-{number}" for number, row in enumerate(ROWS)])
def test_every_row(call, reply, row):
    status, body, headers, *expected = row
    answer = reply(status, body, **{"content_type": "application/json", **headers})
    failure = PROVIDER.parse_response(answer, call("fal-flux"))
    assert [failure.outcome, failure.code, failure.certain] == expected
    assert failure.wait_seconds is None
    assert failure.spreads


def test_a_wait_is_read_when_a_throttle_states_one(call, reply):
    assert PROVIDER.parse_response(reply(429, b"", retry_after="2"), call("fal-flux")).wait_seconds == 2.0


@pytest.mark.parametrize(
    ("given", "path", "body"),
    [
        ({}, "/fal-ai/flux/schnell", {"num_images": 1, "image_size": {"width": 1024, "height": 1024}}),
        ({"size": "auto", "n": 4}, "/fal-ai/flux/schnell", {"num_images": 4}),
        (
            {"model": "fal-ai/flux/dev", "size": "768x512"},
            *("/fal-ai/flux/dev", {"num_images": 1, "image_size": {"width": 768, "height": 512}}),
        ),
        (
            {"model": "fal-ai/flux-pro/v1.1", "quality": "high", "options": {"safety_tolerance": "5"}},
            "/fal-ai/flux-pro/v1.1",
            {"num_images": 1, "image_size": {"width": 1024, "height": 1024}, "safety_tolerance": "5"},
        ),
        (
            {"options": {"image_size": "square"}},
            *("/fal-ai/flux/schnell", {"num_images": 1, "image_size": "square"}),
        ),
    ],
)
def test_requests(call, given, path, body):
    asked = call("fal-flux", **given)
    assert PROVIDER.refusal(asked) is None
    request = PROVIDER.build_request(asked)
    assert (request.method, request.path, request.read_timeout_seconds) == ("POST", path, 90.0)
    assert request.json == {"prompt": "A lighthouse.", "output_format": "png", **body}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"format": "webp"}, "input.format: webp; fal-flux takes one of jpeg, png"),
        ({"n": 5}, "input.n: 5; fal-flux takes at most 4"),
    ],
)
def test_refusals(call, given, message):
    assert PROVIDER.refusal(call("fal-flux", **given)).startswith(message)


def test_speech_is_refused(call):
    assert PROVIDER.refusal(call("openai-tts")) == "kind: fal-flux makes pictures only"


def pictures(*flags, count=None, **size):
    urls = [{"url": f"https://media.example/{number}.png", **size} for number in range(count or len(flags))]
    return {"images": urls, "has_nsfw_concepts": list(flags), "seed": 1}


def test_pictures_are_delivered_as_urls(call, reply):
    answer = reply(200, pictures(False, False), x_fal_request_id="req-4")
    delivery = PROVIDER.parse_response(answer, call("fal-flux", n=2))
    assert delivery.media == (RemoteMedia("https://media.example/0.png"), RemoteMedia("https://media.example/1.png"))
    assert (delivery.format, delivery.vendor_request_id) == ("png", "req-4")
    assert not PROVIDER.streams(200, {"content-type": "image/png"})


def test_black_pictures_alone_are_rejected_content(call, reply):
    failure = PROVIDER.parse_response(reply(200, pictures(True, True)), call("fal-flux", n=2))
    assert (failure.outcome, failure.code, failure.certain) == (Outcome.CONTENT_REJECTED, "nsfw_content", True)


def test_of_a_mixed_answer_only_the_clean_pictures_are_delivered_and_all_are_paid_for(call, reply):
    delivery = PROVIDER.parse_response(reply(200, pictures(True, False, True)), call("fal-flux", n=3))
    assert delivery.media == (RemoteMedia("https://media.example/1.png"),)
    assert delivery.cost_usd == pytest.approx(0.009)


@pytest.mark.parametrize("flags", [(), (None,), ("true",)])
def test_a_missing_flag_is_no_flag(call, reply, flags):
    delivery = PROVIDER.parse_response(reply(200, pictures(*flags, count=2)), call("fal-flux", n=2))
    assert len(delivery.media) == 2


@pytest.mark.parametrize(
    ("given", "cost"),
    [
        ({}, 0.003),
        ({"n": 4}, 0.012),
        ({"size": "auto"}, 0.003),
        ({"size": "64x64"}, 0.003),
        ({"size": "1040x1024"}, 0.006),
        ({"size": "2048x2048", "model": "fal-ai/flux/dev"}, 0.1),
        ({"model": "fal-ai/flux-pro/v1.1"}, 0.04),
        ({"size": "2048x2048", "options": {"image_size": "square_hd"}}, 0.003),
        ({"options": {"image_size": {"width": 2048, "height": 1024}}}, 0.006),
    ],
)
def test_estimates_count_megapixels_rounded_up(call, given, cost):
    assert PROVIDER.estimate_usd(call("fal-flux", **given)) == pytest.approx(cost)


@pytest.mark.parametrize(
    ("size", "cost"),
    [({"width": 2048, "height": 1024}, 0.006), ({"width": 1e300, "height": 1e300}, 0.003), ({"width": "?"}, 0.003)],
)
def test_the_price_follows_the_pictures_drawn_where_they_tell_their_size(call, reply, size, cost):
    delivery = PROVIDER.parse_response(reply(200, pictures(False, **size)), call("fal-flux"))
    assert delivery.cost_usd == pytest.approx(cost)


def test_the_second_generation_makes_webp_too(call):
    second = FalFlux2()
    assert second.refusal(call("fal-flux-2", format="webp")) is None
    assert second.build_request(call("fal-flux-2", format="webp")).path == "/fal-ai/flux-2"
    assert PROVIDER.refusal(call("fal-flux", format="webp")).startswith("input.format: webp; fal-flux takes one of")
    assert second.estimate_usd(call("fal-flux-2")) == pytest.approx(0.012)
