import json

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.stack


def test_a_policy_that_asks_for_tls_lets_loopback_in(local):
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    url, _ = local.queue(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    if local.fixed:
        local.send(url, "x")
        assert [message["Body"] for message in local.received(url)] == ["x"]
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            local.send(url, "x")
