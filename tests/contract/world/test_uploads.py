"""Files of any size on their way into the bucket: the fake and S3 keep the same promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mediarelay.long_jobs.transfer.ports import Upload, Uploads
from mediarelay.long_jobs.transfer.s3 import S3Upload, S3Uploads
from tests.doubles.long_jobs import MemoryUpload, MemoryUploads
from tests.harness.local_aws import BUCKET, LocalAws

KEY = "video/a.mp4"
PART = 5 * 1024**2  # the least that S3 takes of every part but the last
Read = Callable[[], dict[str, bytes]]


@pytest.fixture(params=["memory", "s3"])
def bucket(request: pytest.FixtureRequest) -> tuple[Uploads, Read]:
    """The port, and a look at what it stored."""
    if request.param == "memory":
        memory = MemoryUploads()
        return memory, lambda: memory.files
    aws: LocalAws = request.getfixturevalue("aws")
    return S3Uploads(aws.s3, BUCKET), lambda: {
        key: aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in aws.objects()
    }


def test_a_file_is_there_once_it_is_complete_and_whole(bucket: tuple[Uploads, Read]) -> None:
    uploads, stored = bucket
    upload: Upload = uploads.begin(KEY, "video/mp4", {"provider": "p"})
    assert isinstance(upload, MemoryUpload | S3Upload)
    upload.part(b"x" * PART)
    upload.part(b"end")
    assert stored() == {}
    upload.complete()
    assert stored() == {KEY: b"x" * PART + b"end"}


def test_of_an_aborted_upload_nothing_is_left(bucket: tuple[Uploads, Read]) -> None:
    uploads, stored = bucket
    upload = uploads.begin(KEY, "video/mp4", {})
    upload.part(b"lost")
    upload.abort()
    assert stored() == {}


def test_the_facts_lie_beside_the_file(aws: LocalAws) -> None:
    memory, s3 = MemoryUploads(), S3Uploads(aws.s3, BUCKET)
    for uploads in (memory, s3):
        upload = uploads.begin(KEY, "video/mp4", {"provider": "p"})
        upload.part(b"x")
        upload.complete()
    head = aws.objects()[KEY]
    assert (head["Metadata"], head["ContentType"]) == ({"provider": "p"}, "video/mp4")
    assert memory.facts[KEY] == head["Metadata"]
