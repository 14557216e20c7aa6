"""Kling's envelope and its named errors. The code tells; one HTTP status stands for causes with nothing in common."""

from collections.abc import Callable
from typing import Any

from tools.simulator.wire import NamedErrors, Refused, Reply, Trouble, json_reply


def answer(call_id: str, data: Any) -> Reply:
    """A success."""
    return json_reply(200, {"code": 0, "message": "SUCCEED", "request_id": call_id, "data": data})


def error(status: int, code: int, message: str, outcome: str) -> Callable[[Trouble], Reply]:
    """A named error."""

    def reply(trouble: Trouble) -> Reply:
        return json_reply(status, {"code": code, "message": message, "request_id": trouble.request_id}, outcome=outcome)

    return reply


ERRORS: NamedErrors = {
    "bad_key": error(401, 1002, "Authorization is invalid", "bad_key"),
    "bad_signature": error(401, 1000, "Authentication failed", "bad_key"),
    "token_early": error(401, 1003, "Authorization is not yet valid", "token_early"),
    "token_expired": error(401, 1004, "Authorization has expired", "token_expired"),
    "account_exception": error(429, 1100, "Account exception", "quota_exhausted"),
    "arrears": error(429, 1101, "Account in arrears", "quota_exhausted"),
    "quota_exhausted": error(429, 1102, "Account balance not enough", "quota_exhausted"),
    "permission_denied": error(403, 1103, "Unauthorized access to requested resource", "permission_denied"),
    "invalid_request": error(400, 1201, "Invalid request parameters", "invalid_request"),
    "not_found": error(404, 1203, "Requested resource does not exist", "not_found"),
    "platform_policy": error(400, 1300, "Trigger strategy of the platform", "content_rejected"),
    "content_rejected": error(400, 1301, "Trigger the content security policy of the platform", "content_rejected"),
    "rate_limited": error(429, 1302, "API request too frequent", "rate_limited"),
    "concurrency_limited": error(429, 1303, "parallel task over resource pack limit", "concurrency_limited"),
    "ip_refused": error(429, 1304, "Trigger the platform's IP whitelisting policy", "permission_denied"),
    "server_error": error(500, 5000, "Internal server error", "server_error"),
    "overloaded": error(503, 5001, "Server temporarily unavailable", "overloaded"),
    "timeout": error(504, 5002, "Server internal timeout", "timeout"),
}


def refused(name: str, request_id: str = "") -> Refused:
    """The named error as a refusal."""
    return Refused(ERRORS[name](Trouble(request_id=request_id)))
