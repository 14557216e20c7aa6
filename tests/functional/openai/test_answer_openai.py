"""answer_openai under OpenAI's own SDK for Python: its requests become a function URL's events, links lead to S3."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
import openai
import pytest
import responses

from functions.answer_openai import app
from mediarelay.api.access import OPENAI_ACCESS
from mediarelay.api.publishing.ports import Outgoing
from mediarelay.api.publishing.sqs import SqsOutbox
from mediarelay.api.tokens import Role
from mediarelay.aws.stores import Update
from mediarelay.aws.system_clock import SystemClock
from mediarelay.bootstrap.web.openai import OpenAiSettings, build_openai
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.clock import ManualClock
from tests.doubles.scripted_http import MEDIA
from tests.harness.function_events import sqs_record
from tests.harness.functions import OPENAI_SPEECH, Context, Deployed
from tests.harness.local_aws import BUCKET, JOBS

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API")  # the only shape of clips that the SDKs have

HOST = "relay.example"
DOCUMENT = Path(__file__).parents[3] / "docs" / "http-api.md"
TOKENS = {"pat": "publisher", "pip": "publisher", "vic": "viewer", "opa": "operator"}
TENANTS = {"pat": "acme", "pip": "other"}
OPENAI_PICTURES = "https://api.openai.com/v1/images/generations"
SPEECH: dict[str, Any] = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "hello"}
LIMITED = {"error": {"message": "slow", "type": "requests", "code": "rate_limit_exceeded"}}
PICTURE = base64.b64encode(MEDIA["png"]).decode()
CLIP = b"\0\0\0\x18ftypmp42"
DRAWN = {"created": 1, "data": [{"b64_json": PICTURE}], "usage": {"input_tokens": 1, "output_tokens": 10}}


class Working(ManualClock):
    """While the function sleeps, the worker works: unless it is on strike."""

    def __init__(self, deployed: Deployed, now: float) -> None:
        super().__init__(now)
        self.deployed = deployed
        self.strike = False

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if not self.strike:
            self.work()

    def work(self) -> None:
        aws = self.deployed.aws
        for url, serve in ((aws.queue_url, self.deployed.dispatch), (aws.picture_url, self.deployed.draw)):
            for each in aws.received(url):
                assert serve(sqs_record(each["Body"], each["MessageId"])) == []


class Wire(httpx2.BaseTransport):
    """From the SDK to the function, and to the bucket."""

    def __init__(self, deployed: Deployed) -> None:
        self.deployed = deployed
        self.answers: list[dict[str, Any]] = []
        self.cut = 0
        self.tokens_shown_to_s3 = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host != HOST:
            return self._file(request)
        answer = app.handler(event(request), Context())
        self.answers.append(answer)
        if self.cut:
            self.cut -= 1
            raise httpx2.ReadError("the connection was cut")
        return httpx2.Response(answer["statusCode"], headers=answer["headers"], content=answer["body"].encode())

    def _file(self, request: httpx2.Request) -> httpx2.Response:
        self.tokens_shown_to_s3 += "authorization" in request.headers
        key = unquote(urlsplit(str(request.url)).path).removeprefix(f"/{BUCKET}").removeprefix("/")
        found = self.deployed.aws.s3.get_object(Bucket=BUCKET, Key=key)
        return httpx2.Response(200, headers={"content-type": found["ContentType"]}, content=found["Body"].read())


def event(request: httpx2.Request) -> dict[str, Any]:
    """As a function URL hands it over (Lambda developer guide, "Invoking Lambda function URLs")."""
    body = request.read()
    return {
        "version": "2.0",
        "rawPath": request.url.path,
        "queryStringParameters": dict(request.url.params),
        "headers": dict(request.headers),
        "requestContext": {"http": {"method": request.method, "path": request.url.path}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@pytest.fixture
def clock(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Iterator[Working]:
    tokens = [
        {"name": name, "token": f"{name}-{'x' * 20}", "expires_at": 4_102_444_800, "role": role}
        | ({"tenant": TENANTS[name]} if name in TENANTS else {})
        for name, role in TOKENS.items()
    ]
    deployed.aws.secrets.create_secret(Name="tokens", SecretString=json.dumps(tokens))
    monkeypatch.setenv("TOKENS_SECRET_ID", "tokens")
    monkeypatch.setenv("OPENAI_WAIT_SECONDS", "8")
    monkeypatch.setenv("OPENAI_MODEL_ALIASES", '{"tts-1": "openai-tts", "sora-2": "auto"}')
    app.tokens.cache_clear()

    clock = Working(deployed, SystemClock().now())
    service = build_openai(OpenAiSettings.from_env(), clock)
    monkeypatch.setattr(app, "service", lambda: service)
    yield clock
    app.tokens.cache_clear()


@pytest.fixture
def wire(deployed: Deployed, clock: Working) -> Wire:
    assert clock
    return Wire(deployed)


def sdk(wire: Wire, name: str = "pat", **settings: Any) -> openai.OpenAI:
    client = openai.OpenAI(
        base_url=f"https://{HOST}/v1",
        api_key=f"{name}-{'x' * 20}",
        http_client=openai.DefaultHttpx2Client(transport=wire),
        **settings,
    )
    client._calculate_retry_timeout = lambda *_, **__: 0.0  # type: ignore[method-assign]  # nobody waits here
    return client


@pytest.fixture
def speaking(vendors: responses.RequestsMock) -> responses.RequestsMock:
    vendors.post(OPENAI_SPEECH, body=MEDIA["mp3"], content_type="audio/mpeg")
    return vendors


# --- what is made -------------------------------------------------------------------------------------------------


def test_speech_is_the_file_behind_a_link_and_the_token_stays_here(
    wire: Wire, speaking: responses.RequestsMock, deployed: Deployed
) -> None:
    made = sdk(wire).audio.speech.create(**SPEECH, extra_body={"mediarelay": {"metadata": {"order": 7}}})
    assert (made.content, wire.tokens_shown_to_s3, len(speaking.calls)) == (MEDIA["mp3"], 0, 1)
    (answer,) = wire.answers
    told = answer["headers"]
    assert (answer["statusCode"], answer["body"], told["x-mediarelay-provider"]) == (303, "", "openai-tts")
    assert deployed.job(f"acme!{told['x-request-id']}")["metadata"]["M"]["order"] == {"N": "7"}


def test_pictures_are_one_document_beside_them(wire: Wire, vendors: responses.RequestsMock) -> None:
    vendors.post(OPENAI_PICTURES, json={**DRAWN, "data": DRAWN["data"] * 2})
    made = sdk(wire).images.generate(model="gpt-image-2", prompt="a lighthouse", n=2, background="opaque")
    assert [base64.b64decode(each.b64_json or "") for each in made.data or ()] == [MEDIA["png"]] * 2
    assert (made.output_format, wire.answers[0]["statusCode"]) == ("png", 303)
    assert json.loads(vendors.calls[0].request.body or b"{}")["background"] == "opaque"


def test_pictures_may_be_links(wire: Wire, vendors: responses.RequestsMock) -> None:
    vendors.post(OPENAI_PICTURES, json=DRAWN)
    made = sdk(wire).images.generate(model="openai-image", prompt="a lighthouse", response_format="url")
    (picture,) = made.data or ()
    assert "X-Amz-Signature" in (picture.url or "")


def test_a_clip_is_begun_and_asked_for_by_its_id(wire: Wire, deployed: Deployed, clock: Working) -> None:
    clock.strike = True
    client = sdk(wire)
    begun = client.videos.create(prompt="waves", model="sora-2", seconds="8", size="1792x1024")
    assert (begun.status, begun.seconds, begun.size, begun.prompt) == ("queued", "10", "1792x1024", "waves")
    (message,) = deployed.aws.received(deployed.aws.queue_url)
    asked = json.loads(message["Body"])
    assert asked["input"] == {"prompt": "waves", "duration": 10, "aspect_ratio": "16:9", "mode": "pro"}
    assert client.videos.retrieve(begun.id).status == "queued"
    with pytest.raises(openai.NotFoundError, match="there is no file"):
        client.videos.download_content(begun.id)
    with pytest.raises(openai.NotFoundError, match="there is no clip"):
        sdk(wire, "pip").videos.retrieve(begun.id)
    deployed.aws.s3.put_object(Bucket=BUCKET, Key="video/x.mp4", Body=CLIP, ContentType="video/mp4")
    output = {"key": "video/x.mp4", "content_type": "video/mp4", "bytes": 1, "sha256": "ab"}
    settle(deployed, f"acme!{begun.id.removeprefix('video_')}", status="succeeded", outputs=[output])
    assert client.videos.retrieve(begun.id).progress == 100
    assert client.videos.download_content(begun.id).content == CLIP
    assert client.videos.delete(begun.id).deleted is True


def test_an_operators_clip_is_found_by_its_tenant(wire: Wire, clock: Working, deployed: Deployed) -> None:
    clock.strike = True
    extra = {"mediarelay": {"tenant": "acme", "max_cost_usd": 2.5, "providers": ["kling-video"]}}
    begun = sdk(wire, "opa").videos.create(prompt="waves", extra_body=extra)
    (message,) = deployed.aws.received(deployed.aws.queue_url)
    asked = json.loads(message["Body"])
    assert (asked["tenant"], asked["max_cost_usd"], asked["providers"]) == ("acme", 2.5, ["kling-video"])
    assert sdk(wire, "opa").videos.retrieve(begun.id).status == "queued"
    assert sdk(wire).videos.retrieve(begun.id).status == "queued", "it is the publisher's own tenant"
    with pytest.raises(openai.NotFoundError):
        sdk(wire, "pip").videos.retrieve(begun.id)


def test_clips_are_listed_page_by_page(wire: Wire, clock: Working) -> None:
    clock.strike = True
    client = sdk(wire)
    begun = []
    for number in range(5):
        begun.append(client.videos.create(prompt=f"waves {number}").id)
        clock.advance(number % 2)  # some within one moment
    sdk(wire, "pip").videos.create(prompt="of somebody else")
    for limit in (1, 2, 3, 20):
        seen = [each.id for each in client.videos.list(limit=limit)]
        assert (len(seen), set(seen)) == (5, set(begun)), limit
    assert {seen[0], seen[-1]} != {begun[0]}, "the newest first"
    assert next(iter(client.videos.list())).seconds == "5"
    assert len(list(sdk(wire, "opa").videos.list())) == 6
    with pytest.raises(openai.BadRequestError):
        client.videos.list(order="asc")


def test_models_are_listed_and_found(wire: Wire) -> None:
    client = sdk(wire)
    names = {each.id: each.owned_by for each in client.models.list()}
    assert names["openai-tts"] == names["openai-tts/gpt-4o-mini-tts"] == "openai"
    assert names["auto"] == names["tts-1"] == "mediarelay"
    assert client.models.retrieve("fal-flux/fal-ai/flux/dev").owned_by == "fal"
    with pytest.raises(openai.NotFoundError, match="openai-tts/gpt-4o-mini-tts"):
        client.models.retrieve("gpt-4o-mini-ttz")


# --- never twice --------------------------------------------------------------------------------------------------


def test_a_connection_cut_after_the_purchase_is_no_second_one(wire: Wire, speaking: responses.RequestsMock) -> None:
    wire.cut = 2
    made = sdk(wire).audio.speech.create(**SPEECH)
    assert (made.content, len(wire.answers), len(speaking.calls)) == (MEDIA["mp3"], 3, 1)
    assert len({answer["headers"]["x-request-id"] for answer in wire.answers}) == 1


def test_what_the_queue_may_have_is_published_again_under_its_id(
    wire: Wire, speaking: responses.RequestsMock, monkeypatch: pytest.MonkeyPatch, deployed: Deployed
) -> None:
    """The answer of SQS was lost: both tries put a message on the queue, and dispatch serves one job."""
    lost: list[str] = []
    send = SqsOutbox.send

    def sends(outbox: SqsOutbox, messages: Sequence[Outgoing]) -> Sequence[str | None]:
        sent = send(outbox, messages)
        if not lost:
            lost.extend(each or "" for each in sent)
            raise StoreUnavailable("request queue", "take requests", "its answer was lost")
        return sent

    monkeypatch.setattr(SqsOutbox, "send", sends)
    assert sdk(wire).audio.speech.create(**SPEECH).content == MEDIA["mp3"]
    statuses = [(answer["statusCode"], answer["headers"]["x-should-retry"]) for answer in wire.answers]
    assert statuses == [(503, "true"), (303, "false")]
    assert (len(lost), len(speaking.calls), deployed.aws.received(deployed.aws.queue_url)) == (1, 1, [])


def test_who_has_no_key_and_counts_no_tries_is_not_told_to_publish_again(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sends(*_: Any) -> Sequence[str | None]:
        raise StoreUnavailable("request queue", "take requests", "its answer was lost")

    monkeypatch.setattr(SqsOutbox, "send", sends)
    with pytest.raises(openai.InternalServerError):
        sdk(wire).audio.speech.create(**SPEECH, extra_headers={"x-stainless-retry-count": ""})
    assert [answer["headers"]["x-should-retry"] for answer in wire.answers] == ["false"]


def test_a_form_that_is_sent_again_is_the_same_clip_though_its_bytes_differ(
    wire: Wire, clock: Working, deployed: Deployed
) -> None:
    clock.strike, wire.cut = True, 1
    begun = sdk(wire).videos.create(prompt="waves")
    assert [json.loads(answer["body"])["id"] for answer in wire.answers] == [begun.id] * 2
    assert len(deployed.aws.received(deployed.aws.queue_url)) == 1


def test_two_calls_for_the_same_are_two_jobs(wire: Wire, speaking: responses.RequestsMock) -> None:
    client = sdk(wire)
    for _ in range(2):
        client.audio.speech.create(**SPEECH)
    assert len(speaking.calls) == 2


def test_a_key_is_one_job_however_often(wire: Wire, speaking: responses.RequestsMock) -> None:
    client, headers = sdk(wire), {"Idempotency-Key": "order-17"}
    for _ in range(2):
        assert client.audio.speech.create(**SPEECH, extra_headers=headers).content == MEDIA["mp3"]
    assert len(speaking.calls) == 1
    with pytest.raises(openai.ConflictError) as refused:
        client.audio.speech.create(**{**SPEECH, "input": "else"}, extra_headers=headers)
    assert (refused.value.code, len(wire.answers)) == ("idempotency_conflict", 3)


def test_who_waits_too_long_comes_back_to_the_same_job(
    wire: Wire, clock: Working, speaking: responses.RequestsMock
) -> None:
    clock.strike = True
    with pytest.raises(openai.InternalServerError) as late:
        sdk(wire).audio.speech.create(**SPEECH)
    assert (late.value.status_code, late.value.code, len(wire.answers)) == (504, "still_running", 3)
    assert {answer["headers"]["x-should-retry"] for answer in wire.answers} == {"true"}
    clock.work()
    assert len(speaking.calls) == 1


def test_who_cannot_come_back_is_not_told_to(wire: Wire, clock: Working) -> None:
    clock.strike = True
    with pytest.raises(openai.InternalServerError):
        sdk(wire).audio.speech.create(**SPEECH, extra_headers={"x-stainless-retry-count": ""})
    assert [answer["headers"]["x-should-retry"] for answer in wire.answers] == ["false"]


def test_what_was_not_bought_is_begun_anew(wire: Wire, vendors: responses.RequestsMock) -> None:
    vendors.post(OPENAI_SPEECH, status=503, json={"error": {"message": "down", "type": "server_error"}})
    with pytest.raises(openai.InternalServerError) as refused:
        sdk(wire, max_retries=1).audio.speech.create(**SPEECH)
    assert (refused.value.code, refused.value.status_code) == ("provider_fault", 503)
    assert [answer["headers"]["x-should-retry"] for answer in wire.answers] == ["true"] * 2
    assert len({answer["headers"]["x-request-id"] for answer in wire.answers}) == 2, "each try is a job of its own"
    headers = {"Idempotency-Key": "order-17"}
    with pytest.raises(openai.InternalServerError):
        sdk(wire).audio.speech.create(**SPEECH, extra_headers=headers)
    assert wire.answers[-1]["headers"]["x-should-retry"] == "false", "under a key it stays the same job"
    assert len(wire.answers) == 3


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", OPENAI_ACCESS)
def test_a_route_lets_in_whom_the_table_says(wire: Wire, name: str, role: Role) -> None:
    assert wire
    method, path = re.sub("<[a-z_]+>", "nothing", name).split(" ")
    token = next(each for each, its in TOKENS.items() if its == role)
    request = httpx2.Request(method, f"https://{HOST}{path}", headers={"authorization": f"Bearer {token}-{'x' * 20}"})
    answer = app.handler(event(request), Context())
    assert (answer["statusCode"] == 403) is (role not in OPENAI_ACCESS[name])
    assert app.handler(event(httpx2.Request(method, f"https://{HOST}{path}")), Context())["statusCode"] == 401


def test_the_documentation_names_the_routes() -> None:
    rows = re.findall(r"^\| `([A-Z]+ /v1/[^`]+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert rows == list(OPENAI_ACCESS)


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"speed": 9.0}, "invalid_request", "speed"),
        ({"input": ""}, "invalid_request", "input"),
        ({"response_format": "ogg"}, "invalid_request", "response_format"),
        ({"stream_format": "sse"}, "unsupported_parameter", "stream_format"),
        ({"extra_body": {"seed": 1}}, "unsupported_parameter", "seed"),
        ({"extra_body": {"mediarelay": {"reply_to": "x"}}}, "unsupported_parameter", "mediarelay.reply_to"),
        ({"extra_body": {"mediarelay": {"strategy": "all"}}}, "unsupported_parameter", "mediarelay.strategy"),
    ],
)
def test_what_is_wrong_is_a_bad_request_that_is_not_repeated(
    wire: Wire, deployed: Deployed, given: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        sdk(wire).audio.speech.create(**{**SPEECH, **given})
    assert (refused.value.code, refused.value.param, refused.value.type) == (code, param, "invalid_request_error")
    assert (len(wire.answers), deployed.aws.received(deployed.aws.queue_url)) == (1, [])


def test_who_may_not_is_told_so_in_the_sdks_own_classes(wire: Wire) -> None:
    with pytest.raises(openai.AuthenticationError):
        sdk(wire, "nobody").audio.speech.create(**SPEECH)
    with pytest.raises(openai.PermissionDeniedError):
        sdk(wire, "vic").models.list()
    with pytest.raises(openai.PermissionDeniedError):
        sdk(wire).audio.speech.create(**SPEECH, extra_body={"mediarelay": {"tenant": "other"}})
    with pytest.raises(openai.NotFoundError) as refused:
        sdk(wire).audio.speech.create(**{**SPEECH, "model": "whisper-1"})
    assert refused.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError) as nowhere:
        sdk(wire).chat.completions.create(model="gpt-5", messages=[])
    assert nowhere.value.code == "unsupported_endpoint"
    assert {answer["headers"]["x-should-retry"] for answer in wire.answers} == {"false"}


def test_what_a_vendor_will_not_draw_is_moderation(wire: Wire, vendors: responses.RequestsMock) -> None:
    blocked = {"error": {"message": "no", "type": "image_generation_user_error", "code": "moderation_blocked"}}
    vendors.post(OPENAI_PICTURES, status=400, json=blocked)
    with pytest.raises(openai.BadRequestError) as refused:
        sdk(wire).images.generate(model="openai-image", prompt="x")
    assert (refused.value.code, refused.value.type) == ("moderation_blocked", "image_generation_user_error")


def settle(deployed: Deployed, key: str, **fields: Any) -> None:
    """As the execution of a clip would."""

    update = Update({**fields, "settled_at": 1_800_000_000_000})
    deployed.aws.dynamodb.update_item(TableName=JOBS, Key={"request_id": {"S": key}}, **update.fields())
