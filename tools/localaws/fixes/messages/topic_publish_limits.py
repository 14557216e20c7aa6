"""A topic refuses what e-mail could not carry.

AWS: an empty message, and a subject that is longer than 100 characters, holds control characters or is not ASCII, are
refused with InvalidParameter.
Stock: accepts them all.
Matters: alerts carry subjects made from provider names and numbers; a bad one must fail here first.
"""

from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import sns

LONGEST_SUBJECT = 100


def apply() -> None:
    """Check message and subject before a single message is published."""
    publish = expect_function(sns, "_publish", "params")
    expect_function(sns, "_error", "code", "message", "status")

    def publish_within_limits(params: dict[str, Any]) -> Any:
        fault = _fault(sns._p(params, "Message"), sns._p(params, "Subject"))
        return sns._error("InvalidParameter", f"Invalid parameter: {fault}", 400) if fault else publish(params)

    sns._publish = publish_within_limits


def _fault(message: Any, subject: str) -> str | None:
    if message == "":
        return "Empty message"
    if len(subject) > LONGEST_SUBJECT or not subject.isascii() or not subject.isprintable():
        return "Subject"
    return None
