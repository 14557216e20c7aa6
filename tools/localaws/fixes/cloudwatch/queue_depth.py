"""The AWS/SQS metrics that describe a queue at a moment. Pure: no MiniStack in it."""

from typing import Any


def queue_depth(messages: list[dict[str, Any]], now: float) -> dict[str, tuple[float, str]]:
    """Metric name to value and unit, for the messages a queue holds; delayed ones are neither visible nor in flight."""
    hidden = [message for message in messages if message.get("visible_at", 0) > now]
    in_flight = [message for message in hidden if message.get("receive_count")]
    oldest = min((message["sent_at"] for message in messages), default=now)
    return {
        "ApproximateNumberOfMessagesVisible": (len(messages) - len(hidden), "Count"),
        "ApproximateNumberOfMessagesNotVisible": (len(in_flight), "Count"),
        "ApproximateNumberOfMessagesDelayed": (len(hidden) - len(in_flight), "Count"),
        "ApproximateAgeOfOldestMessage": (now - oldest, "Seconds"),
    }
