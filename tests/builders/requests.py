"""Requests, messages and claims, with only what a test cares about spelled out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mediarelay.dispatch.ports import QueueMessage
from mediarelay.job_records.claims import Claim
from mediarelay.vocabulary.kinds import Kind
from tests.doubles.clock import EPOCH

EPOCH_MS = round(EPOCH * 1000)


def tts(text: str = "hello", /, **fields: Any) -> dict[str, Any]:
    """A request for speech."""
    given = dict(fields.pop("input", {}))
    return {"kind": "tts", "input": {"text": text, **given}, **fields}


def image(prompt: str = "a lighthouse", /, **fields: Any) -> dict[str, Any]:
    """A request for a picture."""
    given = dict(fields.pop("input", {}))
    return {"kind": "image", "input": {"prompt": prompt, **given}, **fields}


def video(prompt: str = "a lighthouse", /, **fields: Any) -> dict[str, Any]:
    """A request for a clip."""
    given = dict(fields.pop("input", {}))
    return {"kind": "video", "input": {"prompt": prompt, **given}, **fields}


def audio(prompt: str = "waves", /, **fields: Any) -> dict[str, Any]:
    """A request for music or a sound effect."""
    given = dict(fields.pop("input", {}))
    return {"kind": "audio", "input": {"prompt": prompt, **given}, **fields}


def message(
    body: Mapping[str, Any] | str,
    *,
    message_id: str = "message-1",
    sent_at: int = EPOCH_MS,
    receive_count: int = 1,
    attributes: Mapping[str, str] | None = None,
) -> QueueMessage:
    """A message of the request queue."""
    text = body if isinstance(body, str) else json.dumps(body)
    return QueueMessage(message_id, f"receipt-{message_id}", text, sent_at, receive_count, attributes or {})


def delivered(given: QueueMessage) -> dict[str, Any]:
    """A message as the SQS event source hands it over."""
    return {
        "messageId": given.message_id,
        "receiptHandle": given.receipt_handle,
        "body": given.body,
        "attributes": {
            "SentTimestamp": str(given.sent_at),
            "ApproximateReceiveCount": str(given.receive_count),
            **({"MessageGroupId": given.group} if given.group else {}),
        },
        "messageAttributes": {
            name: {"stringValue": value, "dataType": "String"} for name, value in given.attributes.items()
        },
        "eventSource": "aws:sqs",
        "eventSourceARN": given.source or "arn:aws:sqs:eu-central-1:123456789012:requests",
        "awsRegion": "eu-central-1",
    }


def claim(request_id: str = "job-1", claim_id: str = "claim-1", *, at: int = EPOCH_MS, **fields: Any) -> Claim:
    """A wish to serve a job for a minute from `at` (unix ms)."""
    given: dict[str, Any] = {
        "kind": Kind.TTS,
        "fingerprint": "content-1",
        "received_at": EPOCH_MS - 1500,
        "claimed_at": at,
        "lease_until": at + 60_000,
        "expires_at": EPOCH_MS // 1000 + 3600,
        "ttl": EPOCH_MS // 1000 + 7200,
        **fields,
    }
    return Claim(request_id=request_id, claim_id=claim_id, **given)
