"""List prices of us-east-1 in US dollars, on demand, without free tiers. Check them before you rely on a total.

Compared with published accounts of AWS's price lists: DynamoDB of July 2025 (after the cut by half of November 2024),
Lambda of May 2026, SQS and SNS of June 2026. For S3's no account of its own was found; it is the price of many years.
"""

from typing import Final

WRITE_UNIT: Final = 0.625e-6
SQS_CALL: Final = 0.40e-6
SNS_PUBLISH: Final = 0.50e-6  # of up to 64 KB, whether one message or a batch
S3_PUT: Final = 5.0e-6
LAMBDA_INVOCATION: Final = 0.20e-6
LAMBDA_GB_SECOND_ARM64: Final = 13.3334e-6
