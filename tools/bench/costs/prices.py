"""List prices of us-east-1 in US dollars, on demand, without free tiers. Check them before you rely on a total."""

from typing import Final

WRITE_UNIT: Final = 0.625e-6
SQS_CALL: Final = 0.40e-6
SNS_PUBLISH: Final = 0.50e-6
S3_PUT: Final = 5.0e-6
LAMBDA_INVOCATION: Final = 0.20e-6
LAMBDA_GB_SECOND_ARM64: Final = 13.3334e-6
