"""From the bytes on the queue to a media request, or to one message that says what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from mediarelay.contracts.kinds import Kind
from mediarelay.contracts.request import (
    MEDIA_REQUEST,
    AudioRequest,
    BaseRequest,
    ImageRequest,
    MediaRequest,
    TtsRequest,
    VideoRequest,
)
from mediarelay.core.errors import RequestRejected

# Far above any request a provider takes (100,000 characters of text are 400 KB only in four-byte scripts), and half of
# what SQS allowed for most of its life, so that a deferred copy with its added attributes always fits again.
BODY_LIMIT_BYTES: Final = 128 * 1024
MESSAGE_LIMIT: Final = 900
REPORTED_ERRORS: Final = 4
NAME_LIMIT: Final = 40

_BY_KIND: Final[Mapping[str, type[BaseRequest]]] = {
    Kind.TTS: TtsRequest,
    Kind.IMAGE: ImageRequest,
    Kind.VIDEO: VideoRequest,
    Kind.AUDIO: AudioRequest,
}
_OBJECT: Final[TypeAdapter[dict[str, Any]]] = TypeAdapter(dict[str, Any])


def parse_request(body: str) -> MediaRequest:
    """The media request in an SQS body, raw or inside an SNS envelope.

    Raises:
        RequestRejected: code `too_large`, `not_json`, `unknown_kind` or `invalid_request`.
    """
    size = len(body.encode("utf-8", "surrogatepass"))
    if size > BODY_LIMIT_BYTES:
        raise RequestRejected("too_large", f"the body is {size} bytes; at most {BODY_LIMIT_BYTES} are allowed")
    text = _unwrapped(body)
    kind = _object(text).get("kind")
    if not isinstance(kind, str) or kind not in _BY_KIND:
        raise RequestRejected("unknown_kind", f"kind: must be one of {', '.join(_BY_KIND)}")
    try:
        return MEDIA_REQUEST.validate_json(text)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=True, include_input=False)
        raise RequestRejected("invalid_request", _message(problems, kind)) from None


def salvage(body: str) -> Mapping[str, str]:
    """What of `request_id`, `kind` and `tenant` can still be trusted in a body that was rejected."""
    try:
        fields = _object(_unwrapped(body))
    except RequestRejected:
        return {}
    kept: dict[str, str] = {}
    for name in ("request_id", "tenant"):
        probe = {"kind": "tts", "input": {"text": "x"}, name: fields.get(name)}
        try:
            MEDIA_REQUEST.validate_json(json.dumps(probe))
        except (ValidationError, ValueError):
            continue
        if fields.get(name) is not None:
            kept[name] = fields[name]
    if isinstance(fields.get("kind"), str) and fields["kind"] in _BY_KIND:
        kept["kind"] = fields["kind"]
    return kept


def _unwrapped(body: str) -> str:
    """The message inside an SNS envelope; the body itself when it is none."""
    if '"Notification"' not in body:
        return body
    fields = _object(body)
    inner = fields.get("Message")
    return inner if fields.get("Type") == "Notification" and isinstance(inner, str) else body


def _object(text: str) -> dict[str, Any]:
    try:
        return _OBJECT.validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        if problem["type"] == "json_invalid":
            raise RequestRejected("not_json", f"the body is not JSON: {problem['ctx']['error']}") from None
        raise RequestRejected(
            "not_json", 'the body must be a JSON object, such as {"kind":"tts","input":{"text":"hello"}}'
        ) from None


def _message(problems: Sequence[ErrorDetails], kind: str) -> str:
    shown = [_sentence(problem, kind) for problem in problems[:REPORTED_ERRORS]]
    rest = len(problems) - len(shown)
    if rest > 0:
        shown.append(f"and {rest} more")
    return "; ".join(shown)[:MESSAGE_LIMIT]


def _sentence(problem: ErrorDetails, kind: str) -> str:
    path = [part for part in problem["loc"] if part != kind or problem["loc"].index(part) > 0]
    name = ".".join(_shown(part) for part in path)
    words = problem["msg"]
    if problem["type"] == "extra_forbidden":
        words = f"unknown field; allowed: {', '.join(_fields_at(kind, path[:-1]))}"
    return f"{name}: {words}" if name else words


def _shown(part: object) -> str:
    """A path element fit for a log line: what the publisher called a field is the publisher's to choose."""
    text = str(part)
    return text if len(text) <= NAME_LIMIT and text.isprintable() else f"{ascii(text)[:NAME_LIMIT]}…"


def _fields_at(kind: str, path: Sequence[int | str]) -> Sequence[str]:
    model = _BY_KIND[kind]
    if list(path) == ["input"]:
        model = model.model_fields["input"].annotation  # type: ignore[assignment]  # always a model of ours
    return list(model.model_fields)
