"""docs/asyncapi.yaml: what goes over the queues, the topics and to publishers' servers, for machines (AsyncAPI 3.0.0).

It is written from the contracts by `python -m tools.schemas write`; the payloads are the schemas beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from mediarelay.announce.sns import ATTRIBUTES
from mediarelay.vocabulary.kinds import JobStatus, Kind

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "asyncapi.yaml"
HEAD: Final = "# Written by tools.schemas from the contracts.\n"
_FORMAT: Final = "application/schema+json;version=draft-2020-12"
_VALUES: Final[Mapping[str, list[str]]] = {
    "kind": [str(kind) for kind in Kind],
    "status": [str(status) for status in JobStatus if status.settled],
    "callback": ["full", "thin"],
}
_OF_ALERTS: Final = ("provider", "severity", "status", "previous_status", "event")
_SIGNED: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")


def text() -> str:
    """Returns the document."""
    return HEAD + yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120)


def faults() -> list[str]:
    """Returns what is wrong with the page, in a sentence."""
    written = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return [] if written == text() else ["../asyncapi.yaml differs from the contracts"]


def document() -> dict[str, Any]:
    """Returns it as data."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "mediarelay",
            "version": "1",
            "description": "Requests by SQS, results and alerts by SNS, results by HTTPS to who asked for it. New "
            "fields may come without a new version. The HTTP API has an OpenAPI document of its own.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "sqs": _server("sqs", "The queue's URL is the stack's output RequestQueueUrl."),
            "sns": _server("sns", "The topics' ARNs are the stack's outputs."),
            "publishers": {
                "host": "{host}",
                "protocol": "https",
                "description": "Of those that the parameter CallbackHosts allows.",
                "variables": {"host": {"description": "The host of a request's callback_url."}},
            },
        },
        "channels": {
            "requests": _channel("RequestQueue", "sqs", "MediaRequest", "Cancellation"),
            "results": _channel("MediaResults", "sns", "ResultEvent", bindings={"sns": {"name": "MediaResults"}}),
            "alerts": _channel("ProviderAlerts", "sns", "Alert", bindings={"sns": {"name": "ProviderAlerts"}}),
            "callbacks": _channel("{path}", "publishers", "Callback")
            | {"parameters": {"path": {"description": "The rest of the request's callback_url."}}},
        },
        "operations": {
            "receiveRequests": _operation("receive", "requests", "Publishers send them."),
            "sendResults": _operation("send", "results", "Once a job has ended; perhaps twice, with one event_id."),
            "sendAlerts": _operation("send", "alerts", "Once a transition; perhaps twice, with one alert_id."),
            "callBack": _operation("send", "callbacks", "By Standard Webhooks; docs/callbacks.md."),
        },
        "components": {
            "messages": {
                "MediaRequest": _message("media-request", "Raw, or inside an SNS envelope."),
                "Cancellation": _cancellation(),
                "ResultEvent": _message("result-event", "How a job ended.", _headers(*ATTRIBUTES)),
                "Alert": _message("alert", "What operators should know.", _headers(*_OF_ALERTS)),
                "Callback": _callback(),
            }
        },
    }


def _server(service: str, description: str) -> dict[str, Any]:
    return {
        "host": f"{service}.{{region}}.amazonaws.com",
        "protocol": service,
        "description": description,
        "variables": {"region": {"description": "The stack's."}},
    }


def _channel(address: str, server: str, *messages: str, bindings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": address,
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }
    return channel | ({"bindings": dict(bindings)} if bindings else {})


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _message(schema: str, summary: str, headers: Mapping[str, Any] | None = None) -> dict[str, Any]:
    payload = {"schemaFormat": _FORMAT, "schema": {"$ref": f"schemas/{schema}.schema.json"}}
    return {"summary": summary, "payload": payload} | ({"headers": dict(headers)} if headers else {})


def _headers(*names: str) -> dict[str, Any]:
    """The attributes by which subscribers filter; each is there where it is known."""
    of_each = {name: {"type": "string"} | ({"enum": _VALUES[name]} if name in _VALUES else {}) for name in names}
    return {"type": "object", "properties": of_each}


def _cancellation() -> dict[str, Any]:
    said = {"cancel": {"type": "string", "description": "A request's id."}, "tenant": {"type": "string"}}
    body = {"type": "object", "properties": said, "required": ["cancel"], "additionalProperties": False}
    return {"summary": "Ends a request's jobs.", "payload": body}


def _callback() -> dict[str, Any]:
    said = {
        "type": {"const": "media.settled"},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": {"type": "object", "description": "As ResultEvent, or its ids where callback_body is thin."},
    }
    headers = {"type": "object", "properties": {name: {"type": "string"} for name in _SIGNED}, "required": [*_SIGNED]}
    body = {"type": "object", "properties": said, "required": [*said]}
    return {"summary": "How a job ended, to its publisher's server.", "headers": headers, "payload": body}
