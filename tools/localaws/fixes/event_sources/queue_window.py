"""When a queue's batch is ready for its function. Pure: no MiniStack in it."""

LARGEST_BATCH_WITHOUT_WINDOW = 10


def batch_limit(batch_size: int, *, window: float, fifo: bool) -> int:
    """The most messages one batch takes: more than ten only when there is a window, and never from a FIFO queue."""
    return batch_size if window and not fifo else min(batch_size, LARGEST_BATCH_WITHOUT_WINDOW)


def seconds_to_wait(available_since: list[float], *, limit: int, window: float, now: float) -> float:
    """How long messages are still gathered; zero when the batch is full or its oldest message has waited the window.

    `available_since` are the moments at which the queue's visible messages became visible.
    """
    if not available_since or len(available_since) >= limit:
        return 0.0
    return max(0.0, min(available_since) + window - now)
