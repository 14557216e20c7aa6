"""A request that never leaves this machine counts as secure transport.

AWS: its endpoints speak TLS, so `aws:SecureTransport` is true for every client that uses them as they are.
Stock: the gateway speaks plain HTTP on loopback, and the condition key says false.
Matters: every queue, topic and bucket of ours denies what does not come over TLS; the same template must deploy and
work here. What the policies do to plain HTTP is AWS's to enforce; that they are there is tested on the template.
"""

from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import iam_evaluator


def apply() -> None:
    """Answer `aws:SecureTransport` with true, and leave every other condition key alone."""
    resolve = expect_function(iam_evaluator, "_resolve_condition_key", "key", "ctx")

    def resolve_on_loopback(key: str, ctx: Any) -> Any:
        return "true" if key.lower() == "aws:securetransport" else resolve(key, ctx)

    iam_evaluator._resolve_condition_key = resolve_on_loopback
