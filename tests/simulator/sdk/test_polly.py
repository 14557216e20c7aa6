"""boto3, Polly's own client, against the simulator, which checks its signatures; and our module beside it."""

import json
import math

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from mediarelay.aws.system_clock import SystemClock
from mediarelay.http.connections import RequestsHttp
from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Delivery, Timed
from mediarelay.providers.catalogue import models
from mediarelay.providers.credentials import ON, ROLE_VARIABLES
from mediarelay.providers.polly import VENDOR
from mediarelay.providers.probe import ProbeResult
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.calls import calling
from tests.harness.media import parsers as parse
from tools.simulator.state.accounts import role_of

(TTS,) = VENDOR.providers
HELLO = {"Text": "hello there", "OutputFormat": "mp3", "VoiceId": "Joanna", "Engine": "neural"}
ROLE = role_of("sim-polly-key-1")
ONE_CALL = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def sdk(simulator):
    def make(key=ROLE[0], secret=ROLE[1], token=ROLE[2], region="eu-west-1"):
        session = boto3.Session(key, secret, token, region_name=region)
        return session.client("polly", endpoint_url=simulator.urls["POLLY_BASE_URL"], config=ONE_CALL)

    return make


@pytest.fixture
def sent(simulator):
    """Sends one of our own requests, signed by a role; the answer with its body."""
    http = RequestsHttp(SystemClock(), allow_plain_http=True)

    def send(request, role=ROLE):
        values = {**dict(zip(ROLE_VARIABLES, role, strict=True)), VENDOR.credentials.allowed_by: ON}
        credential = VENDOR.credentials.credential(values)
        signed = TTS.sign(request.at(simulator.urls["POLLY_BASE_URL"]), credential, now=SystemClock().now())
        with http.send(signed, deadline=math.inf) as answer:
            return HttpReply(answer.status, answer.headers, answer.read(1 << 20))

    return send


def asked(model="neural", options=None, **fields):
    given = TtsInput(**{"text": "hello there", **fields})
    return calling(models("polly-tts")[model], given, options)


def test_marks_tell_when_each_word_is_heard_and_where_it_stands(sdk):
    answer = sdk().synthesize_speech(**{**HELLO, "OutputFormat": "json", "SpeechMarkTypes": ["word"]})
    assert answer["RequestCharacters"] == len("hello there")
    assert [json.loads(line) for line in answer["AudioStream"].read().splitlines()] == [
        {"time": 0, "type": "word", "start": 0, "end": 5, "value": "hello"},
        {"time": 360, "type": "word", "start": 6, "end": 11, "value": "there"},
    ]


@pytest.mark.parametrize("fields", [{"OutputFormat": "json"}, {"SpeechMarkTypes": ["word"]}])
def test_marks_are_for_json_alone_and_json_for_marks(sdk, fields):
    with pytest.raises(ClientError):
        sdk().synthesize_speech(**HELLO | fields)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"text": "Caf\u00e9, you \u201csaid\u201d."}, ["Caf\u00e9,", "you", "\u201csaid\u201d."]),
        ({"text": "Fish & chips <now>", "speed": 0.9}, ["Fish &", "chips", "<now>"]),
    ],
)
def test_our_module_reads_words_with_what_is_around_them(sent, given, words):
    call = asked(timestamps="word", **given)
    said = TTS.parse_times(sent(TTS.times_request(call)), call)
    assert isinstance(said, Timed)
    assert [span.text.strip() for span in said.times] == words
    assert [span.end for span in said.times[:-1]] == [span.start for span in said.times[1:]]
    speech = TTS.parse_response(sent(TTS.build_request(call)), call)
    assert said.cost_usd + speech.cost_usd == pytest.approx(TTS.estimate_usd(call))


@pytest.mark.parametrize(
    ("name", "media_type"), [("mp3", "audio/mpeg"), ("ogg_opus", "audio/ogg"), ("pcm", "audio/pcm")]
)
def test_speech_comes_in_its_formats_and_says_what_was_billed(sdk, control, name, media_type):
    answer = sdk().synthesize_speech(**{**HELLO, "OutputFormat": name})
    assert (answer["ContentType"], answer["RequestCharacters"]) == (media_type, len("hello there"))
    spoken = answer["AudioStream"].read()
    if name == "pcm":
        assert len(spoken) == 2 * 16000 * 11 * 60 // 1000
    else:
        assert parse.heard(spoken).seconds == pytest.approx(11 * 0.06, abs=0.05)
    assert control.paid("polly") == {"hello there": 1}


def test_what_we_send_is_what_the_sdk_sends(sdk, simulator):
    client = sdk()
    bodies = []
    client.meta.events.register("before-send.polly", lambda request, **_: bodies.append((request.url, request.body)))
    client.synthesize_speech(**HELLO)
    request = TTS.build_request(asked(voice="Joanna")).at(simulator.urls["POLLY_BASE_URL"])
    ((url, body),) = bodies
    assert (request.url, dict(request.json)) == (url, json.loads(body))


@pytest.mark.parametrize("token", [ROLE[2], None])
def test_a_role_and_a_users_own_credentials_are_both_good(sdk, token):
    assert sdk(token=token).synthesize_speech(**HELLO)["RequestCharacters"] == len("hello there")


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        ({"secret": "another"}, "InvalidSignatureException"),
        ({"token": "another"}, "UnrecognizedClientException"),
        ({"key": "nobody"}, "UnrecognizedClientException"),
    ],
)
def test_a_signature_that_is_not_the_roles_is_refused_and_nothing_is_billed(sdk, control, credentials, code):
    with pytest.raises(ClientError) as refused:
        sdk(**credentials).synthesize_speech(**HELLO)
    assert refused.value.response["Error"]["Code"] == code
    assert control.paid() == {}


def test_a_body_that_was_changed_after_it_was_signed_is_refused(sdk):
    client = sdk()

    def changed(request, **_):
        request.body = request.body.replace(b"hello", b"HELLO")

    client.meta.events.register("before-send.polly", changed)
    with pytest.raises(ClientError, match="signature"):
        client.synthesize_speech(**HELLO)


@pytest.mark.parametrize(
    ("fault", "code", "outcome"),
    [
        ("rate_limited", "ThrottlingException", Outcome.THROTTLED),
        ("permission_denied", "AccessDeniedException", Outcome.PERMISSION_DENIED),
        ("bad_key", "UnrecognizedClientException", Outcome.KEY_REJECTED),
        ("server_error", "ServiceFailureException", Outcome.PROVIDER_FAULT),
        ("overloaded", "ServiceUnavailableException", Outcome.OVERLOADED),
    ],
)
def test_the_sdk_and_our_module_read_an_error_alike(sdk, sent, control, fault, code, outcome):
    control.fault(vendor="polly", error=fault, count=2)
    with pytest.raises(ClientError) as refused:
        sdk().synthesize_speech(**HELLO)
    assert refused.value.response["Error"]["Code"] == code
    failure = TTS.parse_response(sent(TTS.build_request(asked())), asked())
    assert isinstance(failure, Failure)
    assert (failure.outcome, failure.code) == (outcome, code)


def test_a_voice_that_lacks_the_engine_is_refused_as_polly_does(sdk, sent):
    with pytest.raises(ClientError, match="This voice does not support the selected engine: neural"):
        sdk().synthesize_speech(**{**HELLO, "VoiceId": "Mizuki"})
    unlisted = asked(model="long-form", options={"voice": "Nate"})  # the voice book would refuse one that it knows
    failure = TTS.parse_response(sent(TTS.build_request(unlisted)), unlisted)
    assert isinstance(failure, Failure)
    assert (failure.outcome, failure.code) == (Outcome.INVALID_REQUEST, "ValidationException")


@pytest.mark.parametrize(
    ("call", "dollars"),
    [
        (asked(), 11 * 16e-6),
        (asked(model="generative", voice="Ruth"), 11 * 30e-6),
        (asked(text="a < b & c", speed=0.9), 9 * 16e-6),
        (asked(text="<speak>one <break time='1s'/>two</speak>", options={"TextType": "ssml"}), 7 * 16e-6),
        (asked(format="opus"), 11 * 16e-6),
    ],
    ids=["plain", "generative", "paced", "ssml", "opus"],
)
def test_our_own_requests_are_understood_and_cost_what_was_billed(sent, control, call, dollars):
    assert TTS.refusal(call) is None
    delivery = TTS.parse_response(sent(TTS.build_request(call)), call)
    assert isinstance(delivery, Delivery)
    assert delivery.cost_usd == pytest.approx(dollars)
    assert delivery.vendor_request_id
    assert control.stats()["paid"] == 1


def test_the_probe_is_answered_and_tells_a_role_that_is_refused(sent, sdk):
    assert sdk().describe_voices(Engine="neural")["Voices"]
    assert VENDOR.probe.result(sent(VENDOR.probe.request)) is ProbeResult.WELL
    stranger = role_of("sim-stranger-key")
    assert VENDOR.probe.result(sent(VENDOR.probe.request, stranger)) is ProbeResult.KEY_REJECTED


def test_the_limit_is_the_accounts(sdk, simulator):
    account = {"keys": ["sim-a", "sim-b"], "requests_per_second": 0.1, "burst": 1}
    simulator.client.configure({"vendors": {"polly": {"main": account}}, "latency": {}})
    sdk(*role_of("sim-a")).synthesize_speech(**HELLO)
    with pytest.raises(ClientError, match="Rate exceeded"):
        sdk(*role_of("sim-b")).synthesize_speech(**HELLO)
