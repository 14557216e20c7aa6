"""No piece of a key leaves the process, whatever the vendors answer."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

from tests.builders.requests import tts
from tests.doubles.scripted_http import MEDIA
from tests.harness.function_events import sqs_record
from tests.harness.functions import ELEVENLABS_SPEECH, OPENAI_SPEECH, Deployed
from tests.harness.local_aws import JOBS, TELEMETRY

PIECE = 12
KEYS = {
    "OPENAI_API_KEYS": ["zq7Fake1Openai9Alpha3Wombat", "zq8Fake2Openai5Bravo4Numbat"],
    "ELEVENLABS_API_KEYS": ["zq9Fake3Eleven6Charlie8Quokka"],
}
PLANTED = [key for keys in KEYS.values() for key in keys]
BOTH: dict[str, Any] = {"providers": ["openai-tts", "elevenlabs-tts"], "strategy": "ordered"}

Answer = Callable[[requests.PreparedRequest], tuple[int, dict[str, str], bytes]]


def _key_of(request: requests.PreparedRequest) -> str:
    sent = str(request.headers.get("authorization") or request.headers.get("xi-api-key"))
    return sent.removeprefix("Bearer ")


def _error(status: int, code: str, words: str = "your key {key} is no good") -> Answer:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        key = _key_of(request)
        error = {"message": words.format(key=key), "type": "invalid", "code": code.format(key=key)}
        return status, {"x-request-id": key}, json.dumps({"error": error, "detail": error}).encode()

    return answer


def _delivered(_request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
    return 200, {"content-type": "audio/mpeg"}, MEDIA["mp3"]


def _page(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
    return 200, {"content-type": "text/html"}, f"<html>hello {_key_of(request)}</html>".encode()


def _raising(error: type[Exception]) -> Answer:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        raise error(f"failed with {_key_of(request)}")

    return answer


PATHS: dict[str, Answer] = {
    "delivered": _delivered,
    "rejected": _error(401, "invalid_api_key"),
    "cut out in the middle": _error(401, "invalid_api_key", "Incorrect API key provided: {key:.14}****"),
    "in the code": _error(400, "bad_{key}"),
    "throttled": _error(429, "rate_limit_exceeded"),
    "out of quota": _error(429, "insufficient_quota"),
    "denied": _error(403, "model_not_found"),
    "caller's fault": _error(400, "content_policy_violation"),
    "model gone": _error(404, "model_not_found"),
    "fault": _error(500, "server_error"),
    "page": _page,
    "unsent": _raising(requests.exceptions.ConnectTimeout),
    "lost": _raising(requests.exceptions.ConnectionError),
    "timeout": _raising(requests.exceptions.ReadTimeout),
    "unforeseen": _raising(RuntimeError),
}


@pytest.fixture
def planted(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    for name, keys in KEYS.items():
        monkeypatch.setenv(name, ",".join(keys))
    return deployed


@pytest.mark.parametrize("path", PATHS)
def test_no_piece_of_a_key_leaves_the_process(
    path: str,
    planted: Deployed,
    vendors: responses.RequestsMock,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="mediarelay")
    for url in (OPENAI_SPEECH, ELEVENLABS_SPEECH):
        vendors.add_callback("POST", _below(url), callback=PATHS[path])
    planted.dispatch(sqs_record(tts(request_id="job-1", **BOTH), "m-1"))
    assert vendors.calls, "a vendor was called, so a key was in play"
    assert planted.job("job-1"), "and a record was written"
    _announce(planted)
    everything = _everything(planted) + "".join(capfd.readouterr()) + caplog.text
    everything += "".join(str(vars(record)) for record in caplog.records)
    assert _leaks(everything) == []


def test_the_search_finds_a_piece() -> None:
    assert _leaks(f"an innocent line with {PLANTED[0][5:17]} in it")


def _below(url: str) -> re.Pattern[str]:
    return re.compile(re.escape(url) + ".*")


def _announce(planted: Deployed) -> None:
    """Let the other function say what became of it."""
    assert planted.aws.inbox_url
    images = {"OldImage": {"request_id": {"S": "job-1"}, "status": {"S": "running"}, "received_at": {"N": "1"}}}
    images["NewImage"] = planted.job("job-1")
    change = {"eventName": "MODIFY", "eventSource": "aws:dynamodb", "dynamodb": {"SequenceNumber": "1", **images}}
    planted.announce(change)


def _everything(planted: Deployed) -> str:
    """All that the account holds, as text."""
    aws = planted.aws
    items = [*aws.items(JOBS), *aws.items(TELEMETRY)]
    messages = [message for url in (aws.queue_url, aws.dlq_url, aws.inbox_url) for message in aws.received(url)]
    return json.dumps([items, messages, aws.objects()], default=str)


def _leaks(text: str) -> list[str]:
    pieces = {key[start : start + PIECE] for key in PLANTED for start in range(len(key) - PIECE + 1)}
    return [piece for piece in pieces if piece in text]
