"""What OpenAI's SDKs may ask for and how it is answered, without a store or a clock."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.api.access import Caller
from mediarelay.api.openai.answers import NotServed, failure, may_begin_anew, refusal, rejection, response, video
from mediarelay.api.openai.reading import Sent, digest_of, fields_of
from mediarelay.api.openai.translating import Menu, Offered, chosen, images, listed, speech, videos
from mediarelay.api.tokens import Role
from mediarelay.job_records.contract import JobRecord
from mediarelay.providers.catalogue import Model
from mediarelay.request.parsing import parse_message
from mediarelay.vocabulary.kinds import Kind

NOW = 1_800_000_000


def model(provider: str, id_: str, **limits: int) -> Model:
    return Model(id_, provider, None, None, 60.0, "", None, limits)


def offered(kind: Kind, provider: str, *models: Model) -> Offered:
    return Offered(kind, provider.partition("-")[0], models[0], {each.id: each for each in models})


FIVES = {"shortest_ms": 5000, "longest_ms": 10_000, "step_ms": 5000}
ANY = {"shortest_ms": 3000, "longest_ms": 15_000, "step_ms": 1000}
MENU = Menu(
    {
        "openai-tts": offered(Kind.TTS, "openai-tts", model("openai-tts", "tts-1"), model("openai-tts", "mini")),
        "other-tts": offered(Kind.TTS, "other-tts", model("other-tts", "tts-1"), model("other-tts", "a/b")),
        "openai-image": offered(Kind.IMAGE, "openai-image", model("openai-image", "gpt-image-2")),
        "fal-flux": offered(Kind.IMAGE, "fal-flux", model("fal-flux", "schnell")),
        "kling-video": offered(
            Kind.VIDEO, "kling-video", model("kling-video", "v2", **FIVES), model("kling-video", "v3", **ANY)
        ),
    },
    {"sora-2": "auto", "fast": "other-tts", "mini": "other-tts/a/b"},
)


def refused(call: Any, *arguments: Any) -> NotServed:
    with pytest.raises(NotServed) as caught:
        call(*arguments)
    return caught.value


def outcome(call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except NotServed as told:
        return told


# --- models -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "providers", "models"),
    [
        (None, None, {}),
        ("auto", None, {}),
        ("sora-2", None, {}),
        ("openai-tts", ["openai-tts"], {}),
        ("other-tts/a/b", ["other-tts"], {"other-tts": "a/b"}),
        ("tts-1", ["openai-tts", "other-tts"], {"openai-tts": "tts-1", "other-tts": "tts-1"}),
        ("fast", ["other-tts"], {}),
        ("mini", ["other-tts"], {"other-tts": "a/b"}),  # an alias counts before what is really called so
        ("openai-tts/mini", ["openai-tts"], {"openai-tts": "mini"}),
    ],
)
def test_a_models_name_says_who_may_be_asked(
    name: str | None, providers: list[str] | None, models: dict[str, str]
) -> None:
    found = chosen(name, Kind.TTS, MENU)
    assert (found.providers, found.model) == (providers, models)


@pytest.mark.parametrize("name", ["fal-flux", "gpt-image-2", "openai-tts/none", "kling-video/v2", "x" * 500])
def test_a_model_of_another_kind_or_of_nobody_is_not_found(name: str) -> None:
    told = refused(chosen, name, Kind.TTS, MENU)
    assert (told.status, told.code, told.param, told.again) == (404, "model_not_found", "model", False)
    assert len(told.message) < 400


def test_whatever_is_listed_may_be_asked_for() -> None:
    for each in listed(MENU):
        kinds = [kind for kind in Kind if each["id"] in MENU.names(kind)]
        assert any(chosen(each["id"], kind, MENU) for kind in kinds), each


# --- requests -----------------------------------------------------------------------------------------------------


def test_speech_becomes_a_request_that_the_queue_takes() -> None:
    given = {"input": "hello", "voice": {"id": "alloy"}, "speed": 1.5, "response_format": "wav", "user": "ann"}
    wanted = speech({**given, "model": "tts-1", "mediarelay": {"providers": ["other-tts"]}}, MENU)
    assert (wanted["providers"], wanted["model"]) == (["other-tts"], {"other-tts": "tts-1"})
    request = parse_message(json.dumps(wanted))
    assert request.input.format == "wav"  # type: ignore[union-attr]
    assert (request.metadata, request.timeout_seconds) == ({"openai_user": "ann"}, 900)  # type: ignore[union-attr]


def test_who_names_own_options_of_openais_pictures_asks_openai_alone() -> None:
    extra = {"options": {"openai-image": {"moderation": "low"}}, "timeout_seconds": 60}
    wanted = images({"prompt": "x", "background": "opaque", "quality": "hd", "mediarelay": extra}, MENU)
    assert wanted["options"] == {"openai-image": {"moderation": "low", "background": "opaque"}}
    assert (wanted["providers"], wanted["timeout_seconds"]) == (["openai-image"], 60)
    assert refused(images, {"prompt": "x", "background": "opaque", "model": "fal-flux"}, MENU).param == "background"


@pytest.mark.parametrize(
    ("asked", "name", "seconds"),
    [
        (None, "auto", 5),
        ("4", "auto", 5),
        ("5", "auto", 5),
        ("8", "auto", 10),
        ("8", "kling-video/v3", 8),
        (1, "v3", 3),
    ],
)
def test_a_clip_is_as_long_as_asked_for_or_the_next_length_that_is_made(asked: Any, name: str, seconds: int) -> None:
    wanted = videos({"prompt": "waves", "seconds": asked, "model": name}, MENU)
    assert (wanted["input"]["duration"], wanted["metadata"]["openai_seconds"]) == (seconds, str(seconds))
    assert parse_message(json.dumps(wanted))


@pytest.mark.parametrize("asked", ["12", "16", "0", "-4", "4.5", "four", [4], {}])
def test_a_clip_of_a_length_that_nobody_makes_is_refused(asked: Any) -> None:
    told = refused(videos, {"prompt": "waves", "seconds": asked}, MENU)
    assert (told.status, told.param) == (400, "seconds")


@pytest.mark.parametrize(
    ("size", "shape", "mode"),
    [(None, "9:16", None), ("1280x720", "16:9", None), ("1024x1792", "9:16", "pro"), ("1792x1024", "16:9", "pro")],
)
def test_a_clips_size_is_its_shape_and_mode(size: str | None, shape: str, mode: str | None) -> None:
    asked = videos({"prompt": "waves", "size": size}, MENU)["input"]
    assert (asked["aspect_ratio"], asked.get("mode")) == (shape, mode)


@pytest.mark.parametrize(
    ("translate", "fields", "param"),
    [
        (images, {"stream": True}, "stream"),
        (images, {"output_format": "gif"}, "output_format"),
        (images, {"response_format": "file"}, "response_format"),
        (images, {"partial_images": 1}, "partial_images"),
        (videos, {"size": "10x10"}, "size"),
        (videos, {"input_reference": {"image_url": "data:image/png;base64,x"}}, "input_reference"),
        (videos, {"input_reference": {"file_id": "x"}}, "input_reference"),
        (videos, {"model": ["sora-2"]}, "model"),
        (images, {"mediarelay": {"providers": ["openai-image"]}, "model": "fal-flux"}, "mediarelay.providers"),
        *((images, {"mediarelay": {name: 1}}, f"mediarelay.{name}") for name in ("metadata", "providers", "options")),
        (images, {"mediarelay": {"metadata": "{"}}, "mediarelay.metadata"),
        (images, {"mediarelay": {"max_cost_usd": "much"}}, "mediarelay.max_cost_usd"),
        (images, {"mediarelay": []}, "mediarelay"),
    ],
)
def test_what_can_not_be_kept_is_refused_by_its_name(translate: Any, fields: dict[str, Any], param: str) -> None:
    told = refused(translate, {"prompt": "x", **fields}, MENU)
    assert (told.status, told.param, told.again) == (400, param, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["input", "prompt", "voice", "model", "size", "n", "quality", "seconds", "mediarelay", "background", "user"]
)
OWN = st.dictionaries(st.sampled_from(["metadata", "options", "providers", "tenant", "strategy"]), JSON, max_size=3)


@given(st.dictionaries(NAMES, JSON | OWN, max_size=5))
def test_whatever_is_sent_is_a_request_or_a_refusal(fields: dict[str, Any]) -> None:
    for translate in (speech, images, videos):
        told = outcome(translate, fields, MENU)
        assert isinstance(told, dict) or told.status in (400, 404)


# --- bodies -------------------------------------------------------------------------------------------------------


def form(*parts: tuple[str, str], boundary: str = "b") -> Sent:
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts
    ]
    body = f"{''.join(lines)}--{boundary}--\r\n".encode()
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return Sent("POST", "/v1/videos", {}, headers, body)


def test_a_form_is_read_as_the_json_would_be() -> None:
    parts = [
        ("prompt", "wäves\r\nand foam"),
        ("input_reference[image_url]", "https://x"),
        ("mediarelay[providers][]", "a"),
    ]
    fields = fields_of(form(*parts, ("mediarelay[providers][]", "b"), ("mediarelay[max_cost_usd]", "2.5")))
    extras = {"providers": ["a", "b"], "max_cost_usd": "2.5"}
    assert fields == {
        "prompt": "wäves\r\nand foam",
        "input_reference": {"image_url": "https://x"},
        "mediarelay": extras,
    }
    priced = videos({"prompt": "x", "mediarelay": {**extras, "providers": ["kling-video"]}}, MENU)
    assert priced["max_cost_usd"] == 2.5


def test_the_same_form_under_another_boundary_is_the_same_request() -> None:
    caller = Caller("pat", Role.PUBLISHER, "acme")
    first, second = (form(("prompt", "waves"), boundary=name) for name in ("one", "two"))
    other = form(("prompt", "other waves"))
    digests = [digest_of(caller, each, fields_of(each)) for each in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]
    assert digest_of(Caller("pip", Role.PUBLISHER, "acme"), first, fields_of(first)) != digests[0]


@pytest.mark.parametrize("parts", [[("a", "1"), ("a[b]", "2")], [("a[b]", "1"), ("a[]", "2")], [("", "1")]])
def test_a_field_that_is_two_things_is_refused(parts: list[tuple[str, str]]) -> None:
    assert refused(fields_of, form(*parts)).status == 400


def test_a_file_is_refused_by_its_name() -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="input_reference"; filename="x.png"\r\n\r\nx\r\n--b--\r\n'
    told = refused(fields_of, Sent("POST", "/v1/videos", {}, form().headers, part))
    assert (told.code, told.param) == ("unsupported_parameter", "input_reference")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 100_000, b"nothing"])
def test_a_body_that_is_no_object_is_a_bad_request(body: bytes) -> None:
    assert refused(fields_of, Sent("POST", "/v1/videos", {}, {"content-type": "application/json"}, body)).status == 400


@given(st.binary(max_size=200))
def test_whatever_is_called_a_form_is_read_or_refused(body: bytes) -> None:
    told = outcome(fields_of, Sent("POST", "/v1/videos", {}, form().headers, b"--b\r\n" + body))
    assert isinstance(told, dict) or told.status == 400


# --- endings ------------------------------------------------------------------------------------------------------

BOUGHT = {"provider": "p", "model": "m", "estimate_usd": 0.01, "at": 1}


def ended(code: str, *, retryable: bool, state: str | None = None, status: str = "failed") -> JobRecord:
    purchases = [{**BOUGHT, "state": state}] if state else []
    error = {"code": code, "message": "so", "retryable": retryable}
    fields = {"request_id": "acme!o-1", "status": status, "received_at": 0, "error": error, "purchases": purchases}
    return JobRecord.model_validate(fields | ({"cost_usd": 0.01} if state == "charged" else {}))


@pytest.mark.parametrize(
    ("code", "retryable", "status", "again"),
    [
        ("throttled", True, 429, True),
        ("no_usable_key", True, 429, True),
        ("provider_fault", True, 503, True),
        ("timeout_unsent", True, 503, True),
        ("over_budget", True, 429, False),
        ("expired", True, 504, False),
        ("content_rejected", False, 400, False),
        ("invalid_request", False, 400, False),
        ("cancelled", False, 409, False),
        ("ambiguous_submit", False, 500, False),
        ("worker_lost", False, 500, False),
        ("internal_error", False, 500, False),
        ("of_tomorrow", True, 500, False),
    ],
)
def test_an_ending_has_its_status_and_says_whether_to_try_again(
    code: str, *, retryable: bool, status: int, again: bool
) -> None:
    told = failure(ended(code, retryable=retryable), renewable=True)
    assert (told.status, told.again, told.job) == (status, again, "o-1")
    assert refusal(told).headers is not None
    assert failure(ended(code, retryable=retryable), renewable=False).again is False


@pytest.mark.parametrize("state", ["charged", "unknown", "sending"])
@pytest.mark.parametrize("code", ["throttled", "provider_fault", "no_usable_key", "over_budget", "expired"])
def test_what_was_or_may_have_been_charged_is_never_begun_anew(code: str, state: str) -> None:
    record = ended(code, retryable=True, state=state)
    assert may_begin_anew(record) is False
    assert failure(record, renewable=True).again is False
    assert may_begin_anew(ended(code, retryable=True, state="not_charged")) is True


def test_a_charged_fault_of_a_provider_is_no_mere_absence() -> None:
    assert failure(ended("provider_fault", retryable=True, state="charged"), renewable=True).status == 500


def test_every_answer_says_whether_to_try_again() -> None:
    told = response(refusal(rejection("invalid_request", "input.format: no")), "r-1")
    assert told["headers"]["x-should-retry"] == "false"
    assert json.loads(told["body"])["error"]["param"] == "response_format"
    assert rejection("not_allowed", "tenant: another one than the token's").status == 403
    assert rejection("invalid_request", "the body is not JSON: x").param is None


# --- clips --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "shown", "progress"),
    [
        ("queued", "queued", 0),
        ("deferred", "queued", 50),
        ("polling", "in_progress", 50),
        ("running", "in_progress", 50),
        ("succeeded", "completed", 100),
        ("failed", "failed", 0),
        ("expired", "failed", 0),
        ("rejected", "failed", 0),
    ],
)
def test_a_clip_is_shown_as_the_sdks_know_it(status: str, shown: str, progress: int) -> None:
    begun = None if status == "queued" else (NOW - 60) * 1000
    record = ended("expired", retryable=True, status=status).model_copy(update={"claimed_at": begun})
    found = video(record, "video_o-1", NOW, 120.0)
    assert (found["status"], found["progress"]) == (shown, progress)
    assert (found["error"] is not None) is (shown == "failed")
    assert video(record, "video_o-1", NOW + 9999, 120.0)["progress"] in (0, 95, 100)
