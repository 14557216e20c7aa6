"""The results bucket. S3 itself verifies each object against the SHA-256 we computed while spooling."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final

from mediarelay.aws.stores import store_errors
from mediarelay.job_records.contract import Output
from mediarelay.results.ports import StoredObject

# A body that is a file is announced first and sent when S3 has answered that it may come: worth its round trip only
# where much would be sent in vain. Ten of this size at once are nothing to a worker.
WHOLE_BYTES: Final = 1024 * 1024
READ_BYTES: Final = 256 * 1024


class S3Media:
    """Implements `results.ports.MediaStore`."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, output: Output, body: IO[bytes], facts: Mapping[str, str]) -> None:
        """See `results.ports.MediaStore.put`."""
        with store_errors("results bucket", "store a result"):
            self._client.put_object(
                Bucket=self._bucket,
                Key=output.key,
                Body=body.read() if output.bytes <= WHOLE_BYTES else body,
                ContentLength=output.bytes,
                ContentType=output.content_type,
                ChecksumSHA256=base64.b64encode(bytes.fromhex(output.sha256)).decode("ascii"),
                Metadata={**facts, "sha256": output.sha256, **_origin(output)},
            )

    def find(self, prefix: str) -> Sequence[StoredObject]:
        """See `results.ports.MediaStore.find`."""
        with store_errors("results bucket", "look for a result"):
            return [self._stored(key) for key in self._keys(prefix)]

    def read(self, key: str, into: IO[bytes]) -> None:
        """See `results.ports.MediaStore.read`."""
        with store_errors("results bucket", "read a file"):
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            for chunk in body.iter_chunks(READ_BYTES):
                into.write(chunk)

    def _keys(self, prefix: str) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, Delimiter="/"
        )
        for page in pages:
            yield from (found["Key"] for found in page.get("Contents", []))

    def _stored(self, key: str) -> StoredObject:
        head = self._client.head_object(Bucket=self._bucket, Key=key)
        facts = head.get("Metadata", {})
        output = Output(
            key=key,
            content_type=head["ContentType"],
            bytes=head["ContentLength"],
            sha256=facts.get("sha256", ""),
            transcoded_from=facts.get("transcoded-from"),
        )
        return StoredObject(output, facts)


def _origin(output: Output) -> Mapping[str, str]:
    return {"transcoded-from": output.transcoded_from} if output.transcoded_from else {}


class S3Links:
    """Implements `results.ports.LinkSigner`."""

    def __init__(self, client: Any, bucket: str, seconds: int) -> None:
        self._client = client
        self._bucket = bucket
        self._seconds = seconds

    def sign(self, key: str) -> tuple[str, str]:
        """See `results.ports.LinkSigner.sign`."""
        where = {"Bucket": self._bucket, "Key": key}
        url = self._client.generate_presigned_url("get_object", Params=where, ExpiresIn=self._seconds)
        return f"s3://{self._bucket}/{key}", url
