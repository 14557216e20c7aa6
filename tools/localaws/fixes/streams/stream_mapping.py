"""One DynamoDB stream mapping as MiniStack stores it: its table, its function, its place in the stream."""

from dataclasses import dataclass
from typing import Any

from tools.localaws.upstream import dynamodb, lambda_service


@dataclass(frozen=True)
class StreamMapping:
    """A mapping whose table and function both exist."""

    settings: dict[str, Any]
    function: dict[str, Any]
    table: str

    @property
    def id(self) -> str:
        """The mapping's UUID."""
        return str(self.settings["UUID"])

    @property
    def stream_arn(self) -> str:
        """The stream it reads."""
        return str(self.settings["EventSourceArn"])

    @property
    def batch_size(self) -> int:
        """The most records one invocation takes."""
        return int(self.settings.get("BatchSize") or 100)

    @property
    def window(self) -> float:
        """Seconds to wait for a batch to fill."""
        return float(self.settings.get("MaximumBatchingWindowInSeconds") or 0)

    def position(self) -> int:
        """Where it reads next, never behind what the stream still holds."""
        horizon: int = dynamodb.stream_start_position(self.table)
        with lambda_service._dynamodb_stream_positions_lock:
            positions = lambda_service._dynamodb_stream_positions
            if self.id not in positions:
                trim = self.settings.get("StartingPosition") == "TRIM_HORIZON"
                positions[self.id] = horizon if trim else dynamodb.stream_end_position(self.table)
            position: int = max(positions[self.id], horizon)
            return position

    def move_to(self, position: int) -> None:
        """Checkpoint, unless the mapping was deleted meanwhile."""
        with lambda_service._dynamodb_stream_positions_lock:
            if self.id in lambda_service._esms:
                lambda_service._dynamodb_stream_positions[self.id] = position

    def read(self, position: int, count: int) -> list[dict[str, Any]]:
        """Copy up to `count` records from a position on."""
        return list(dynamodb.stream_records_since(self.table, position, count))


def resolve(settings: dict[str, Any]) -> StreamMapping | None:
    """The mapping ready to read; None if it is no stream's, is disabled, or its table or function is gone."""
    source = str(settings.get("EventSourceArn", ""))
    if not settings.get("Enabled", True) or ":dynamodb:" not in source or "/stream/" not in source:
        return None
    table = source.partition("/stream/")[0].rsplit("/", 1)[-1]
    stored = dynamodb._tables.get(table)
    if not stored or stored.get("LatestStreamArn") != source:
        return None
    function, _ = lambda_service._get_func_record_for_qualifier(settings["FunctionName"], settings.get("Qualifier"))
    return None if function is None else StreamMapping(settings, function, table)
