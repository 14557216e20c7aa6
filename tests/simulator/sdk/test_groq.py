"""OpenAI's SDK, which Groq names as a client, against the simulator's Groq; and our module beside it."""

from dataclasses import replace

import openai
import pytest

from mediarelay.http.messages import HttpReply
from mediarelay.providers.api import Delivery, StreamedBody, Voice
from mediarelay.providers.catalogue import models
from mediarelay.providers.groq import GROQ_TTS, VENDOR
from mediarelay.providers.probe import ProbeResult
from mediarelay.request.model import TtsInput
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.calls import calling
from tests.harness.media import parsers as parse

ENGLISH, ARABIC = "canopylabs/orpheus-v1-english", "canopylabs/orpheus-arabic-saudi"
SPEECH = {"model": ENGLISH, "voice": "autumn", "input": "hello there", "response_format": "wav"}


@pytest.fixture
def client(simulator):
    address, key = simulator.urls["GROQ_BASE_URL"], "sim-groq-key-1"
    with openai.OpenAI(base_url=address, api_key=key, max_retries=0) as sdk:
        yield sdk


def asked(model=ENGLISH, **fields):
    given = TtsInput(**{"text": "hello there", "format": "wav", **fields})
    return calling(models("groq-tts")[model], given)


def read(error):
    answer = error.value.response
    failure = GROQ_TTS.parse_response(HttpReply(answer.status_code, answer.headers, answer.content), asked())
    assert isinstance(failure, Failure)
    return failure.outcome, failure.code


def test_speech_comes_as_a_wav_file(client, control):
    answer = client.audio.speech.create(**SPEECH)
    assert answer.response.headers["content-type"] == "audio/wav"
    assert parse.heard(answer.content).seconds == pytest.approx(11 * 0.06, abs=0.05)
    assert control.paid("groq") == {"hello there": 1}


def test_what_we_send_is_what_the_sdk_sends(client, monkeypatch):
    sent = []
    monkeypatch.setattr(client, "post", lambda path, *, body, **_: sent.append((path, body)))
    client.audio.speech.create(**SPEECH)
    request = GROQ_TTS.build_request(asked())
    assert [(request.path, dict(request.json))] == sent


def test_a_model_speaks_with_its_own_voices_only(client):
    arabic = GROQ_TTS.build_request(asked(ARABIC)).json
    assert arabic["voice"] == "fahad"
    client.audio.speech.create(**arabic)
    assert GROQ_TTS.refusal(replace(asked(ARABIC), voice=Voice("autumn"))).startswith(
        "voice: autumn; groq-tts takes one of fahad, "
    )
    with pytest.raises(openai.BadRequestError):
        client.audio.speech.create(**{**SPEECH, "model": ARABIC})


@pytest.mark.parametrize(
    ("error", "raised", "meaning"),
    [
        ("permission_denied", openai.BadRequestError, (Outcome.PERMISSION_DENIED, "model_terms_required")),
        ("quota_exhausted", openai.BadRequestError, (Outcome.QUOTA_EXHAUSTED, "blocked_api_access")),
        ("bad_key", openai.AuthenticationError, (Outcome.KEY_REJECTED, "invalid_api_key")),
        ("rate_limited", openai.RateLimitError, (Outcome.THROTTLED, "rate_limit_exceeded")),
    ],
)
def test_its_errors_are_read_as_what_they_are(client, control, error, raised, meaning):
    control.fault(vendor="groq", error=error, count=1)
    with pytest.raises(raised) as caught:
        client.audio.speech.create(**SPEECH)
    assert read(caught) == meaning


def test_a_text_too_large_for_a_minute_is_not_waited_with():
    body = b'{"error": {"message": "Request too large", "type": "tokens", "code": "rate_limit_exceeded"}}'
    failure = GROQ_TTS.failure(HttpReply(413, {"content-type": "application/json"}, body))
    assert (failure.outcome, failure.wait_seconds) == (Outcome.INVALID_REQUEST, None)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"format": "mp3"}, "input.format"), ({"speed": 1.5}, "speed"), ({"text": "x" * 201}, "input.text")],
)
def test_what_it_cannot_do_is_refused_before_it_is_sent(fields, named):
    assert named in GROQ_TTS.refusal(asked(**fields))


def test_the_streamed_body_is_the_speech_and_a_character_has_a_price():
    answer = GROQ_TTS.parse_response(HttpReply(200, {"content-type": "audio/wav"}, None), asked())
    assert isinstance(answer, Delivery)
    assert (answer.media, answer.format) == ((StreamedBody(),), "wav")
    assert answer.cost_usd == pytest.approx(11 * 22e-6)


def test_the_probe_tells_a_key_that_is_known(client):
    answer = client.models.with_raw_response.list().http_response
    assert VENDOR.probe.result(HttpReply(200, answer.headers, answer.content)) is ProbeResult.WELL
