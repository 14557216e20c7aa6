"""From the bytes on the queue to a media request, or to one message that says what is wrong with them.

What a publisher wrote is never repeated: values not at all, and names only if they are letters, digits, `_`
and `-`, since the message goes to logs, the DLQ and subscribers.

A copy of shared/mediarelay/request/parsing.py, made by tools.client_models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from mediarelay_client.errors import InvalidRequest
from mediarelay_client.request.bounds import host_allowed, receiver_of
from mediarelay_client.request.kinds import Kind
from mediarelay_client.request.model import (
    IN_WORDS,
    MEDIA_REQUEST,
    REQUEST_ID,
    TENANT,
    AudioRequest,
    BaseRequest,
    ImageRequest,
    MediaRequest,
    TtsRequest,
    VideoRequest,
)

# 100,000 characters of Chinese are 600 KB where a publisher's encoder escapes them. SQS takes 1 MiB since January 2026
# (aws.amazon.com/blogs/compute/more-room-to-build-serverless-services-now-support-payloads-up-to-1-mb); a quarter of it
# is left for attributes, so that a deferred copy with those it is given always fits again.
BODY_LIMIT_BYTES: Final = 768 * 1024
MESSAGE_LIMIT: Final = 1000
REPORTED_ERRORS: Final = 4
NAME_LIMIT: Final = 40
BYTE_ORDER_MARK: Final = "\ufeff"
EXAMPLE: Final = '{"kind":"tts","input":{"text":"hello"}}'

_BY_KIND: Final[Mapping[str, type[BaseRequest]]] = {
    Kind.TTS: TtsRequest,
    Kind.IMAGE: ImageRequest,
    Kind.VIDEO: VideoRequest,
    Kind.AUDIO: AudioRequest,
}


@dataclass(frozen=True)
class Cancellation:
    """A publisher's wish to cancel the job of that id, which is of that tenant."""

    request_id: str
    tenant: str | None = None


def parse_message(body: str, callback_hosts: Sequence[str] | None = None) -> MediaRequest | Cancellation:
    """Read an SQS body, raw or inside an SNS envelope. Of a name given twice the last counts.

    A good request is parsed once; anything else once more, to say what is wrong with it. Callbacks may go to these
    hosts; to any where None are given, as of a job that was begun while its host was one of them.

    Raises:
        InvalidRequest: code `too_large`, `not_json`, `unknown_kind`, `invalid_request` or `callback_not_allowed`.
    """
    size = len(body.encode("utf-8", "surrogatepass"))
    if size > BODY_LIMIT_BYTES:
        raise InvalidRequest("too_large", f"the body is {size} bytes; at most {BODY_LIMIT_BYTES} are allowed")
    text, where = _unwrapped(body)
    try:
        request = MEDIA_REQUEST.validate_json(text)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=True, include_input=False)
    except UnicodeEncodeError:
        problems = []
    else:
        if request.providers is not None and len(set(request.providers)) < len(request.providers):
            raise InvalidRequest("invalid_request", "providers: must name each provider only once")
        if request.callback_url is not None and callback_hosts is not None:
            _check_receiver(request.callback_url, callback_hosts)
        return request
    fields = _object(text, where)
    if "cancel" in fields and fields.keys() <= {"cancel", "tenant"}:
        return _cancellation(fields["cancel"], fields.get("tenant"))
    raise InvalidRequest("invalid_request", _message(problems, _kind(fields)))


def _check_receiver(url: str, hosts: Sequence[str]) -> None:
    if not host_allowed(receiver_of(url)[0], hosts):
        allowed = f"allowed are {', '.join(hosts)}" if hosts else "none is"
        message = f"callback_url: its host is not one of the parameter CallbackHosts; {allowed}"
        raise InvalidRequest("callback_not_allowed", message[:MESSAGE_LIMIT])


def _cancellation(wanted: object, tenant: object) -> Cancellation:
    if not _trusted("request_id", wanted):
        raise InvalidRequest("invalid_request", f"cancel: must be a request's id: {IN_WORDS[REQUEST_ID]}")
    if tenant is not None and not _trusted("tenant", tenant):
        raise InvalidRequest("invalid_request", f"tenant: must be {IN_WORDS[TENANT]}")
    return Cancellation(str(wanted), None if tenant is None else str(tenant))


# Of a rejected body too: who waits for its end is told so.
_SALVAGED: Final = ("request_id", "tenant", "client", "reply_to", "metadata", "callback_url", "callback_body")


def salvage(body: str, callback_hosts: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return what can still be trusted of a rejected body: its kind, and the fields by which its publisher knows it.

    Nobody is called back at a host that is not one of these.
    """
    try:
        fields = _object(*_unwrapped(body))
    except InvalidRequest:
        return {}
    kept = {name: fields[name] for name in _SALVAGED if fields.get(name) and _trusted(name, fields[name])}
    if "callback_url" in kept and not host_allowed(receiver_of(kept["callback_url"])[0], callback_hosts):
        del kept["callback_url"]
    kind = fields.get("kind")
    return {**kept, "kind": kind} if isinstance(kind, str) and kind in _BY_KIND else kept


def _trusted(name: str, value: object) -> bool:
    """Tell whether the value would be valid in a request that is otherwise good."""
    try:
        MEDIA_REQUEST.validate_json(json.dumps({**json.loads(EXAMPLE), name: value}))
    except ValidationError:
        return False
    return True


# --- JSON ---------------------------------------------------------------------------------------------------------


def _unwrapped(body: str) -> tuple[str, str]:
    """Return the message inside an SNS envelope, or the body itself when it is none; and what to call it."""
    if '"Notification"' in body:
        fields = _object(body, "the body")
        inner = fields.get("Message")
        if fields.get("Type") == "Notification" and isinstance(inner, str):
            return inner, "the Message in the SNS envelope"
    return body, "the body"


def _object(text: str, where: str) -> dict[str, Any]:
    """Parse a JSON object. NaN and Infinity are not JSON, though many encoders write them."""
    fault = _not_text(text)
    if fault:
        raise InvalidRequest("not_json", f"{where} {fault}")
    try:
        fields = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest("not_json", f"{where} is not JSON: {_reason(text, error)}") from None
    if not isinstance(fields, dict):
        raise InvalidRequest("not_json", f"{where} must be a JSON object, such as {EXAMPLE}")
    return fields


def _reason(text: str, error: ValueError) -> str:
    """Return the parser's words and place, except for the one mistake that it cannot name."""
    try:
        from_json(text, allow_inf_nan=True)
    except ValueError:
        return str(error)
    return "it holds NaN or Infinity; publish null, or leave the field out"


def _not_text(text: str) -> str | None:
    """Return why this is not worth parsing; None when it is."""
    if not text.strip():
        return f"is empty; it must be a JSON object, such as {EXAMPLE}"
    if text.startswith(BYTE_ORDER_MARK):
        return "begins with a byte order mark; publish UTF-8 without one"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"is not Unicode text: half of a surrogate pair at character {error.start + 1}"
    return None


def _kind(fields: Mapping[str, Any]) -> str:
    """Return the kind, which must be known before the other fields can be checked."""
    allowed = f"must be one of {', '.join(_BY_KIND)}"
    if "kind" not in fields:
        raise InvalidRequest("unknown_kind", f"kind: is missing; {allowed}")
    kind = fields["kind"]
    if not isinstance(kind, str) or kind not in _BY_KIND:
        raise InvalidRequest("unknown_kind", f"kind: {allowed}")
    return kind


# --- words --------------------------------------------------------------------------------------------------------


def in_brief(faults: Sequence[str], count: int) -> str:
    """Return so many of `count` faults as a message takes: it goes into a record, an event and an attribute of SQS."""
    shown = list(faults[:REPORTED_ERRORS])
    if count > len(shown):
        shown.append(f"and {count - len(shown)} more")
    return "; ".join(shown)[:MESSAGE_LIMIT]


def _message(problems: Sequence[ErrorDetails], kind: str) -> str:
    return in_brief([_sentence(problem, kind) for problem in problems[:REPORTED_ERRORS]], len(problems))


def _sentence(problem: ErrorDetails, kind: str) -> str:
    _, *path = problem["loc"]  # the first is the kind
    about_name = path[-1:] == ["[key]"] and problem["type"] != "extra_forbidden"
    name = ".".join(_shown(part) for part in (path[:-1] if about_name else path))
    return f"{name}: {'the name ' if about_name else ''}{_words(problem, kind, path)}"


def _words(problem: ErrorDetails, kind: str, path: Sequence[int | str]) -> str:
    match problem["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"unknown field; allowed: {', '.join(_fields_at(kind, path[:-1]))}"
        case "string_pattern_mismatch":
            return f"must be {IN_WORDS[problem['ctx']['pattern']]}"
        case _:
            words = re.sub(r"^(Input|String|List|Dictionary) should", "must", problem["msg"])
            return words.replace(" after validation", "")


def _shown(part: int | str) -> str:
    """Return the publisher's name of a field, fit for a log line; odd characters become `?`."""
    text = re.sub(r"[^A-Za-z0-9_-]", "?", str(part)[: NAME_LIMIT + 1])
    return text if len(text) <= NAME_LIMIT else f"{text[:NAME_LIMIT]}…"


def _fields_at(kind: str, path: Sequence[int | str]) -> Sequence[str]:
    fields = _BY_KIND[kind].model_fields
    if path:  # only the request and its input refuse unknown fields
        asked: Any = fields["input"].annotation
        return list(asked.model_fields)
    return ["kind", "input", *(name for name in fields if name not in ("kind", "input"))]
