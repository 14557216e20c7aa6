"""What AWS charges and allows, each with its source and the day it was looked at: the one place for prices and quotas.

Prices are list prices of us-east-1 in US dollars, on demand, without free tiers. Where `checked` is empty the figure is
the documentation's of long standing, and its page was not read again: look at it before you rely on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure; `source` names the page."""

    value: float
    source: str
    checked: str = ""


# --- prices ---------------------------------------------------------------------------------------------------------

_DYNAMODB: Final = "DynamoDB pricing, on-demand capacity"
WRITE_UNIT: Final = Fact(0.625e-6, _DYNAMODB, "2025-07")
READ_UNIT: Final = Fact(0.125e-6, _DYNAMODB, "2025-07")
STREAM_READ_BY_LAMBDA: Final = Fact(0.0, "DynamoDB pricing, DynamoDB Streams: calls by Lambda triggers are free")
SQS_CALL: Final = Fact(0.40e-6, "SQS pricing, standard queues", "2026-06")
SNS_PUBLISH: Final = Fact(0.50e-6, "SNS pricing: 64 KB, whether one message or a batch", "2026-06")
S3_PUT: Final = Fact(5.0e-6, "S3 pricing, S3 Standard requests")
LAMBDA_INVOCATION: Final = Fact(0.20e-6, "Lambda pricing", "2026-05")
LAMBDA_GB_SECOND: Final = Fact(13.3334e-6, "Lambda pricing, arm64", "2026-05")
FARGATE_CPU_HOUR: Final = Fact(0.03238, "Fargate pricing, Linux on ARM, as Vantage's table of it has it")
FARGATE_GB_HOUR: Final = Fact(0.00356, "Fargate pricing, Linux on ARM, as Vantage's table of it has it")
PUBLIC_ADDRESS_HOUR: Final = Fact(0.005, "VPC pricing, public IPv4 addresses")
LOG_BYTE: Final = Fact(0.50 / 1e9, "CloudWatch pricing, logs of Lambda, first 10 TB a month")
TRACE: Final = Fact(5.0e-6, "X-Ray pricing, traces recorded")
TRANSITION: Final = Fact(25.0e-6, "Step Functions pricing, standard workflows")
METRIC_MONTH: Final = Fact(0.30, "CloudWatch pricing, custom metrics, first 10,000")
ALARM_MONTH: Final = Fact(0.10, "CloudWatch pricing, alarms of standard resolution")
DASHBOARD_MONTH: Final = Fact(3.00, "CloudWatch pricing, dashboards")
SECRET_MONTH: Final = Fact(0.40, "Secrets Manager pricing")
SECRET_READ: Final = Fact(0.05 / 10_000, "Secrets Manager pricing")
KEY_MONTH: Final = Fact(1.00, "KMS pricing, customer managed keys")

# --- quotas and limits ----------------------------------------------------------------------------------------------

_SQS_SCALING: Final = "Lambda guide, Configuring scaling behavior for SQS event source mappings"
_WARM: Final = "DynamoDB guide, Understanding DynamoDB warm throughput in different scenarios"
_STATES: Final = "Step Functions guide, Service quotas"
LAMBDA_CONCURRENCY: Final = Fact(1000, "Lambda guide, Lambda quotas; new accounts have 10")
SQS_SOURCE_MOST: Final = Fact(1000, _SQS_SCALING, "2026-11-28")
SQS_SOURCE_FIRST: Final = Fact(5, _SQS_SCALING, "2026-11-28")
SQS_SOURCE_A_MINUTE: Final = Fact(300, _SQS_SCALING, "2026-11-28")
IN_FLIGHT: Final = Fact(120_000, "SQS guide, Amazon SQS message quotas: standard queues, 2025 and before")
PARTITION_WRITES: Final = Fact(1000, _WARM, "2026-11-28")
PARTITION_READS: Final = Fact(3000, _WARM, "2026-11-28")
TABLE_WRITES: Final = Fact(4000, "DynamoDB guide, warm throughput: a new on-demand table", "2026-11-28")
TABLE_READS: Final = Fact(12_000, "DynamoDB guide, warm throughput: a new on-demand table", "2026-11-28")
TABLE_WRITES_MOST: Final = Fact(40_000, "DynamoDB guide, Service quotas: on-demand units of a table")
STREAM_PARALLELISM: Final = Fact(10, "Lambda guide, DynamoDB streams: ParallelizationFactor")
SNS_MESSAGES: Final = Fact(30_000, "SNS endpoints and quotas, messages published a second in us-east-1")
SNS_MESSAGES_SMALL: Final = Fact(300, "SNS endpoints and quotas, messages published a second in the smallest regions")
TRANSITIONS: Final = Fact(1500, _STATES + ": us-east-1, us-west-2, eu-west-1; elsewhere 500; new accounts fewer")
EXECUTION_STARTS: Final = Fact(300, _STATES + ": StartExecution, the same regions; elsewhere 150")
OPEN_EXECUTIONS: Final = Fact(1_000_000, _STATES, "2026-11-28")
SECRET_READS: Final = Fact(10_000, "Secrets Manager quotas, GetSecretValue a second")
PREFIX_PUTS: Final = Fact(3500, "S3 guide, Optimizing Amazon S3 performance: a second and prefix, grows with use")
MB_OF_A_PROCESSOR: Final = Fact(1769, "Lambda guide, Configuring Lambda function memory: MB that equal one vCPU")


def facts() -> dict[str, Fact]:
    """Returns all of them by name."""
    return {name: each for name, each in globals().items() if isinstance(each, Fact)}
