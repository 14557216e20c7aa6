"""What an SDK sent: JSON, or a form, which `videos.create` sends even without a file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from email import message_from_bytes
from email.message import Message
from typing import Any, Final
from urllib.parse import unquote

from mediarelay.api.access import Caller
from mediarelay.api.openai.answers import NotServed, unsupported
from mediarelay.vocabulary.frozen import frozen

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
KEY_LIMIT: Final = 255
# Which try this is, of an SDK that tries by itself; others do not say.
TRY: Final = "x-stainless-retry-count"
DEPTH: Final = 4


@frozen
class Sent:
    """One request.

    Attributes:
        attempt: How often the SDK has sent it before; None where it does not say.
        key: The caller's own idempotency key.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def attempt(self) -> int | None:
        """See the class."""
        text = self.headers.get(TRY, "")
        return int(text) if re.fullmatch(r"\d{1,4}", text) else None

    @property
    def key(self) -> str | None:
        """See the class. Raises `NotServed`."""
        key = self.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= KEY_LIMIT:
            raise NotServed(400, "invalid_request", f"idempotency-key: 1 to {KEY_LIMIT} characters")
        return key


def sent(event: Mapping[str, Any]) -> Sent:
    """Read what a function URL hands over."""
    http = event["requestContext"]["http"]
    body = event.get("body") or ""
    return Sent(
        http["method"],
        unquote(http["path"]),
        event.get("queryStringParameters") or {},
        {name.lower(): value for name, value in (event.get("headers") or {}).items()},
        base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass"),
    )


def fields_of(request: Sent) -> dict[str, Any]:
    """Return the fields of a body. Raises `NotServed`."""
    content_type = request.headers.get("content-type", "")
    kind = content_type.partition(";")[0].strip().lower()
    if kind == FORM:
        return _form(content_type, request.body)
    if kind not in ("", JSON):
        raise NotServed(415, "invalid_request", f"the body must be {JSON} or {FORM}")
    try:
        fields = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise NotServed(400, "invalid_request", "the body must be a JSON object")
    return fields


def digest_of(caller: Caller, request: Sent, fields: Mapping[str, Any]) -> str:
    """Return what a request and its repetition have in common: who asks for what. A form's bytes differ each time."""
    asked = [caller.name, request.method, request.path, fields]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _form(content_type: str, body: bytes) -> dict[str, Any]:
    """Read a form. `a[b]` is field b of a, and `a[]` one of a list, as both SDKs write them."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    fields: dict[str, Any] = {}
    for part in parts if isinstance(parts, list) else ():
        if not isinstance(part, Message):
            continue
        name = part.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise NotServed(400, "invalid_request", "a part of the form has no name")
        if part.get_filename() is not None:
            raise unsupported(name[:100], "files are not taken")
        content = part.get_payload(decode=True)
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
        _put(fields, re.findall(r"[^\[\]]+|(?<=\[)(?=\])", name)[: DEPTH + 1], text)
    return fields


def _put(fields: dict[str, Any], path: list[str], value: str) -> None:
    """Set a field of a field. Raises `NotServed` for what is two things at once."""
    for at, name in enumerate(path[:-1]):
        if path[at + 1] == "" and at + 2 == len(path):
            several = fields.setdefault(name, [])
            if isinstance(several, list):
                several.append(value)
                return
            break
        inner = fields.setdefault(name, {})
        if not isinstance(inner, dict):
            break
        fields = inner
    else:
        if path:
            fields[path[-1]] = value
            return
    raise NotServed(400, "invalid_request", "the form names a field in two ways")
