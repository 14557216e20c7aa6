"""What is sent: made of keywords, checked in the queue's own words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from mediarelay_client.errors import InvalidRequest
from mediarelay_client.models import ResultEvent
from mediarelay_client.request.model import AudioInput, ImageInput, TtsInput, VideoInput
from mediarelay_client.request.parsing import Cancellation, parse_message


def checked(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request that the queue would take. Raises `InvalidRequest`, in the queue's words."""
    try:
        parsed = parse_message(json.dumps(body))
    except (TypeError, ValueError) as error:
        raise InvalidRequest("not_json", f"the request is not JSON: {error}") from error
    if isinstance(parsed, Cancellation):
        raise InvalidRequest("invalid_request", "that is a cancellation: use cancel()")
    return body


def asked(kind: str, input_: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that keywords make: those of the kind's input go there."""
    inputs: dict[str, type[BaseModel]] = {
        "tts": TtsInput,
        "image": ImageInput,
        "video": VideoInput,
        "audio": AudioInput,
    }
    of_input = {name: value for name, value in options.items() if name in inputs[kind].model_fields}
    others = {name: value for name, value in options.items() if name not in of_input}
    return {"kind": kind, **others, "input": {**input_, **of_input}}


def refused_event(error: InvalidRequest, request: Any, now: float) -> ResultEvent:
    """Return the event of a request that was not sent, as the stack would have told it."""
    body = request if isinstance(request, Mapping) else {}
    request_id = error.request_id or str(body.get("request_id") or "")
    kind, tenant = body.get("kind"), body.get("tenant")
    return ResultEvent.model_validate(
        {
            "event_id": f"{request_id}@unsent",
            "request_id": request_id,
            "job_id": request_id,
            "kind": kind if isinstance(kind, str) else None,
            "status": "rejected",
            "provider": None,
            "model": None,
            "tenant": tenant if isinstance(tenant, str) else None,
            "outputs": [],
            "url_expires_at": None,
            "attempts": [],
            "key_rotations": 0,
            "latency_ms": None,
            "queue_ms": None,
            "cost_usd": 0.0,
            "error": {"code": error.code, "message": error.message, "retryable": False},
            "warnings": [],
            "metadata": body.get("metadata") if isinstance(body.get("metadata"), dict) else {},
            "settled_at": round(now * 1000),
        }
    )
