"""A message cannot be delayed beyond fifteen minutes.

AWS: DelaySeconds outside 0 to 900 is refused with InvalidParameterValue.
Stock: any number is accepted, negative ones too.
Matters: deferring a request sends it again with a delay; a slot reserved further away must be caught here, not on AWS.
"""

from typing import Any

from tools.localaws.anchors import UpstreamChangedError, expect_attributes, expect_function
from tools.localaws.upstream import sqs

LONGEST_DELAY_SECONDS = 900


def apply() -> None:
    """Check the delay before a message is stored, for single messages and for batches."""
    send = expect_function(sqs, "_act_send_message", "data", "qurl")
    expect_attributes(sqs, "_HANDLERS", "_Err")
    if sqs._HANDLERS.get("SendMessage") is not send:
        raise UpstreamChangedError("sqs._HANDLERS no longer maps SendMessage to _act_send_message")

    def send_within_limit(data: dict[str, Any], qurl: str) -> dict[str, Any]:
        _check(data.get("DelaySeconds"))
        sent: dict[str, Any] = send(data, qurl)
        return sent

    sqs._act_send_message = send_within_limit
    sqs._HANDLERS["SendMessage"] = send_within_limit


def _check(delay: Any) -> None:
    if delay is not None and not 0 <= int(delay) <= LONGEST_DELAY_SECONDS:
        reason = f"DelaySeconds must be >= 0 and <= {LONGEST_DELAY_SECONDS}."
        raise sqs._Err(
            "InvalidParameterValue", f"Value {delay} for parameter DelaySeconds is invalid. Reason: {reason}"
        )
