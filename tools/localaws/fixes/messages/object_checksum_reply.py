"""Storing an object answers with the checksum it was verified against.

AWS: PutObject's answer carries the object's checksum.
Stock: verifies it (BadDigest when it differs) and keeps it, but does not answer with it.
Matters: a stored result's checksum is proof that what was stored is what the provider sent.
"""

from typing import Any

from tools.localaws.anchors import expect_function
from tools.localaws.upstream import s3

HTTP_OK = 200


def apply() -> None:
    """Add the checksum headers to successful answers."""
    put = expect_function(s3, "_put_object", "bucket_name", "key", "body", "headers")
    expect_function(s3, "_resolve_object_checksums", "body", "headers")

    def put_and_tell(bucket_name: str, key: str, body: bytes, headers: dict[str, str]) -> Any:
        status, answer, content = put(bucket_name, key, body, headers)
        if status == HTTP_OK:
            checksums, _ = s3._resolve_object_checksums(body, headers)
            answer = answer | {f"x-amz-checksum-{name.lower()}": value for name, value in checksums.items()}
        return status, answer, content

    s3._put_object = put_and_tell
