"""Where a stream mapping stands, and what follows an invocation. Pure: positions and counts in, a step out.

Positions are absolute places in the stream; a batch is the half-open range [start, end).
"""

from dataclasses import dataclass, field

FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class RetryPolicy:
    """A mapping's settings for failed batches; -1 is without limit, ages in seconds."""

    attempts: int = -1
    age: int = -1
    bisect: bool = False

    @classmethod
    def of(cls, mapping: dict[str, object]) -> "RetryPolicy":
        """Read them from an event source mapping, which may lack each of them."""
        return cls(
            attempts=_number(mapping.get("MaximumRetryAttempts")),
            age=_number(mapping.get("MaximumRecordAgeInSeconds")),
            bisect=str(mapping.get("BisectBatchOnFunctionError", False)).lower() == "true",
        )


def _number(setting: object) -> int:
    return -1 if setting is None else int(str(setting))


@dataclass(frozen=True)
class Step:
    """Go on from `position`; records up to `given_up` (if any) are to be sent to the failure destination first."""

    position: int
    given_up: int | None = None
    retry_in: float = 0.0


@dataclass
class Progress:
    """What must be remembered between two invocations of one mapping."""

    failures: int = 0
    failed_at: int | None = None
    # Ends of batches still being retried, innermost last: a retry takes no records beyond its own batch.
    bounds: list[int] = field(default_factory=list)
    gathering_since: float | None = None
    not_before: float = 0.0

    def limit(self, position: int, size: int) -> int:
        """How many records the next batch may take."""
        return min(size, self.bounds[-1] - position) if self.bounds else size

    def advanced(self, position: int) -> None:
        """Forget what lies behind a position."""
        self.bounds = [bound for bound in self.bounds if bound > position]
        self.gathering_since = None

    def succeeded(self, end: int) -> Step:
        """The whole batch went through."""
        self.failures, self.failed_at = 0, None
        self.advanced(end)
        return Step(end)

    def failed(self, start: int, end: int, first_failed: int, policy: RetryPolicy) -> Step:
        """The batch failed from `first_failed` on: checkpoint there, then split, retry or give up."""
        self.failures = self.failures + 1 if self.failed_at == first_failed else 1
        self.failed_at = first_failed
        if not self.bounds or self.bounds[-1] != end:
            self.bounds.append(end)
        if policy.bisect and end - first_failed > 1:
            return self._split(start, end, first_failed)
        if 0 <= policy.attempts < self.failures:
            return self._give_up(first_failed, end)
        return Step(first_failed, retry_in=self._backoff())

    def _split(self, start: int, end: int, first_failed: int) -> Step:
        # A reported failure already split the batch where it happened. Splitting spends no retry.
        if first_failed == start:
            self.bounds.append(first_failed + (end - first_failed) // 2)
        self.failures, self.failed_at = 0, None
        return Step(first_failed, retry_in=FIRST_RETRY_SECONDS)

    def _give_up(self, first_failed: int, end: int) -> Step:
        self.advanced(end)
        return Step(first_failed, given_up=end)

    def _backoff(self) -> float:
        return min(FIRST_RETRY_SECONDS * 2.0 ** min(self.failures - 1, 16), LONGEST_RETRY_SECONDS)
