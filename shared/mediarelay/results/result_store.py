"""Where results lie, and how a worker finds what its predecessor paid for before it died."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mediarelay.job_records.contract import Output
from mediarelay.results.ports import MediaStore, StoredObject
from mediarelay.results.spooling import SpooledMedia
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.retrying import retry_until


@dataclass(frozen=True, slots=True)
class Purchase:
    """A delivered result, whether just bought or found.

    Attributes:
        key_id: Whose money it was.
        warnings: How it differs from what was asked for.
    """

    provider: str
    model: str
    key_id: str
    cost_usd: float
    outputs: tuple[Output, ...]
    warnings: tuple[str, ...] = ()


def prefix_of(kind: Kind, received_at: int, job_id: str) -> str:
    """`kind/yyyy/mm/dd/request_id/` (then `provider/` for a branch); the day is the day the job was first received."""
    day = datetime.fromtimestamp(received_at / 1000, UTC)
    request_id, _, spec = job_id.partition("#")
    return f"{kind}/{day:%Y/%m/%d}/{request_id}/" + (f"{spec}/" if spec else "")


class ResultStore:
    """Stores verified media and finds it again."""

    def __init__(self, store: MediaStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep(
        self, media: Sequence[SpooledMedia], *, prefix: str, facts: Mapping[str, str], until: float
    ) -> tuple[Output, ...]:
        """Store every output, repeating until then (unix seconds).

        Raises:
            StoreUnavailable: The bucket stayed unreachable.
        """
        outputs = []
        for index, item in enumerate(media):
            key = f"{prefix}{facts['provider']}-{index}.{item.format}"
            output = Output(key=key, content_type=item.content_type, bytes=item.size, sha256=item.sha256)
            all_facts = {**facts, "index": str(index), "outputs": str(len(media))}
            retry_until(lambda: self._put(output, item, all_facts), clock=self._clock, until=until)  # noqa: B023 # runs now
            outputs.append(output)
        return tuple(outputs)

    def find(self, prefix: str) -> Purchase | None:
        """Find a complete result below the prefix; None when there is none.

        Raises:
            StoreUnavailable: The bucket cannot be read.
        """
        by_call: dict[str, list[StoredObject]] = defaultdict(list)
        for found in self._store.find(prefix):
            by_call[found.facts.get("provider", "")].append(found)
        for objects in by_call.values():
            facts = objects[0].facts
            if facts.get("outputs") == str(len(objects)):
                ordered = sorted(objects, key=lambda found: int(found.facts["index"]))
                return Purchase(
                    provider=facts["provider"],
                    model=facts["model"],
                    key_id=facts["key-id"],
                    cost_usd=float(facts["cost-usd"]),
                    outputs=tuple(found.output for found in ordered),
                    warnings=tuple(filter(None, [facts.get("warning")])),
                )
        return None

    def _put(self, output: Output, item: SpooledMedia, facts: Mapping[str, str]) -> None:
        item.body.seek(0)
        self._store.put(output, item.body, facts)


class ResultLost(StoreUnavailable):
    """A paid result could not be stored before the worker had to end.

    Attributes:
        purchase: What was paid for, without outputs.
        status: The HTTP status it came with.
    """

    def __init__(self, cause: StoreUnavailable, purchase: Purchase, status: int) -> None:
        super().__init__(cause.store, cause.operation, cause.reason)
        self.purchase = purchase
        self.status = status
