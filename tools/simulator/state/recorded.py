"""Answers that vendors really gave, played by their id: `tools/captures/recorded` holds them, one a line."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tools.simulator.wire import Reply, json_reply

_FOLDER = Path(__file__).parents[2] / "captures" / "recorded"
_TEXT = "text/plain; charset=utf-8"
# The server writes these itself; the date is that of the playing.
_SERVERS_OWN = {"content-length", "date"}


@cache
def recorded() -> Mapping[str, Reply]:
    """Every recorded answer by its id; `outcome` in the statistics is `captured`."""
    lines = [line for path in sorted(_FOLDER.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines() if line]
    return MappingProxyType({each["id"]: _reply(each) for each in map(json.loads, lines)})


def _reply(captured: Mapping[str, Any]) -> Reply:
    headers = {name: value for name, value in captured.get("headers", {}).items() if name not in _SERVERS_OWN}
    status, body = captured["status"], captured.get("body")
    if "body_base64" in captured:
        reply = Reply(status, base64.b64decode(captured["body_base64"]), "application/octet-stream")
    elif isinstance(body, str):
        reply = Reply(status, body.encode(), _TEXT)
    else:
        reply = json_reply(status, body)
    content_type = headers.pop("content-type", reply.content_type)
    return Reply(status, reply.body, content_type, headers=headers, outcome="captured")
