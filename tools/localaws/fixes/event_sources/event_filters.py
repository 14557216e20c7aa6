"""Filter patterns of event source mappings match what they match on AWS.

AWS: `$or`, `equals-ignore-case`, `anything-but` with prefix or suffix; a missing field satisfies nothing but
`exists: false`; a number pattern never matches a string, and DynamoDB's "N" is one.
Stock: `$or` and `equals-ignore-case` match nothing, so that the messages are deleted unprocessed; `anything-but` with a
prefix matches everything, also when the field is missing; numbers match "N" strings; null matches a missing field.
Matters: the aggregator and the announcers read filtered streams; a filter that works only here loses data there.
"""

from tools.localaws.anchors import expect_function
from tools.localaws.fixes.event_sources.event_pattern import matches
from tools.localaws.upstream import lambda_service


def apply() -> None:
    """Replace the matcher that SQS and stream mappings share."""
    expect_function(lambda_service, "_match_esm_filter", "record", "pattern")
    lambda_service._match_esm_filter = matches
