"""Files of any size into the results bucket: one part in memory at a time, each verified by S3."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from mediarelay.aws.stores import store_errors


class S3Uploads:
    """Implements `long_jobs.transfer.ports.Uploads`."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def begin(self, key: str, content_type: str, facts: Mapping[str, str]) -> S3Upload:
        """See `long_jobs.transfer.ports.Uploads.begin`."""
        with store_errors("results bucket", "begin an upload"):
            begun = self._client.create_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                ContentType=content_type,
                Metadata=dict(facts),
                ChecksumAlgorithm="SHA256",
            )
        return S3Upload(self._client, {"Bucket": self._bucket, "Key": key, "UploadId": begun["UploadId"]})


class S3Upload:
    """Implements `long_jobs.transfer.ports.Upload`."""

    def __init__(self, client: Any, where: Mapping[str, str]) -> None:
        self._client = client
        self._where = where
        self._parts: list[dict[str, Any]] = []

    def part(self, data: bytes) -> None:
        """See `long_jobs.transfer.ports.Upload.part`."""
        number = len(self._parts) + 1
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode("ascii")
        with store_errors("results bucket", "upload a part"):
            answer = self._client.upload_part(
                **self._where, PartNumber=number, Body=data, ContentLength=len(data), ChecksumSHA256=checksum
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum})

    def complete(self) -> None:
        """See `long_jobs.transfer.ports.Upload.complete`."""
        with store_errors("results bucket", "complete an upload"):
            self._client.complete_multipart_upload(**self._where, MultipartUpload={"Parts": self._parts})

    def abort(self) -> None:
        """See `long_jobs.transfer.ports.Upload.abort`."""
        with store_errors("results bucket", "abort an upload"):
            self._client.abort_multipart_upload(**self._where)
