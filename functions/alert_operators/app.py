"""Telemetry stream -> ProviderAlerts: tell operators of providers, keys, pools and kinds whose status has changed.

Once a minute the sweep's item comes by: then what had to wait is told.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.utilities.batch import process_partial_response
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from mediarelay.alerts.alerting import AlertService
from mediarelay.alerts.telemetry_stream import is_beat, telemetry_change
from mediarelay.bootstrap.alerts import AlertSettings, build_alerts
from mediarelay.bootstrap.logging import package_logger
from mediarelay.bootstrap.settings import inside_lambda
from mediarelay.calendar.contract import CapabilityState
from mediarelay.health.contract import HealthRecord
from mediarelay.job_records.stream import StreamProcessor
from mediarelay.keys.contract import PoolState
from mediarelay.keys.states import KeyVerdict

# Only for annotations: most deployments set no budgets, and most vendors give what was declared.
if TYPE_CHECKING:
    from mediarelay.budgets.contract import BudgetLevel
    from mediarelay.limits.contract import LimitReport

logger = package_logger()
processor = StreamProcessor()


@functools.cache
def service() -> AlertService:
    """One per worker."""
    return build_alerts(AlertSettings.from_env())


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Entry point."""
    return dict(process_partial_response(event, on_record, processor, context))


def on_record(record: DynamoDBRecord) -> None:
    """One change of the Telemetry table."""
    if is_beat(record.raw_event):
        service().look_after()
    change = telemetry_change(record.raw_event)
    if change is None:
        return
    match change.before, change.after:
        case (HealthRecord() | None as before, HealthRecord() as after):
            service().provider_changed(before, after)
        case (KeyVerdict() | None as before, KeyVerdict() as after):
            service().key_changed(before, after)
        case (PoolState() | None as before, PoolState() as after):
            service().pool_changed(before, after)
        case (CapabilityState() | None as before, CapabilityState() as after):
            service().capability_changed(before, after)
        case before, after if hasattr(after, "lower"):
            service().limits_changed(cast("LimitReport | None", before), cast("LimitReport", after))
        case None, level:  # of a budget: recorded once, and never changed
            service().level_reached(cast("BudgetLevel", level))


if inside_lambda():
    service()
