from __future__ import annotations

import base64
import hashlib
import io

import boto3
import pytest
from botocore.stub import ANY, Stubber

from mediarelay.job_records.contract import Output
from mediarelay.results.ports import MediaStore, StoredObject
from mediarelay.results.s3 import S3Links, S3Media
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.doubles.media import MemoryMedia
from tests.harness.local_aws import BUCKET, REGION, LocalAws

PICTURE = b"\x89PNG\r\n\x1a\n" + b"\x01" * 100
FACTS = {"provider": "fal-flux", "model": "m", "key-id": "0123456789ab", "cost-usd": "0.003000"}


@pytest.fixture(params=["memory", "s3"])
def media(request: pytest.FixtureRequest) -> MediaStore:
    return MemoryMedia() if request.param == "memory" else S3Media(request.getfixturevalue("aws").s3, BUCKET)


def output(key: str, data: bytes = PICTURE) -> Output:
    return Output(key=key, content_type="image/png", bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


def test_what_is_stored_is_found_with_its_facts(media: MediaStore) -> None:
    stored = output("image/2026/08/01/job-1/fal-flux-0.png")
    media.put(stored, io.BytesIO(PICTURE), FACTS)
    assert list(media.find("image/2026/08/01/job-1/")) == [StoredObject(stored, {**FACTS, "sha256": stored.sha256})]


def test_what_is_stored_can_be_read(media: MediaStore) -> None:
    stored, copy = output("image/x.png"), io.BytesIO()
    media.put(stored, io.BytesIO(PICTURE), FACTS)
    media.read(stored.key, copy)
    assert copy.getvalue() == PICTURE


def test_what_is_not_there_cannot_be_read(media: MediaStore) -> None:
    with pytest.raises(StoreUnavailable):
        media.read("image/nothing.png", io.BytesIO())


def test_a_neighbour_whose_name_begins_alike_is_not_found(media: MediaStore) -> None:
    media.put(output("image/job-11/x.png"), io.BytesIO(PICTURE), FACTS)
    assert list(media.find("image/job-1/")) == []


def test_what_lies_in_a_folder_below_is_of_another_job_and_not_found(media: MediaStore) -> None:
    media.put(output("image/job-1/fal-flux/x.png"), io.BytesIO(PICTURE), FACTS)
    assert list(media.find("image/job-1/")) == []


def test_the_fake_refuses_bytes_that_do_not_match_their_checksum_as_s3_does() -> None:
    store = MemoryMedia()
    with pytest.raises(StoreUnavailable):
        store.put(output("image/x.png"), io.BytesIO(PICTURE[:-1] + b"\x02"), FACTS)
    assert list(store.find("image/")) == []


def test_s3_is_told_the_checksum_it_must_verify() -> None:
    """moto verifies none, so what is asked of S3 is checked instead."""
    client = boto3.client("s3", region_name=REGION, aws_access_key_id="testing", aws_secret_access_key="testing")
    stored = output("image/x.png")
    digest = base64.b64encode(bytes.fromhex(stored.sha256)).decode()
    asked = {"Bucket": BUCKET, "Key": stored.key, "ChecksumSHA256": digest, "ContentLength": len(PICTURE)}
    with Stubber(client) as stubber:
        others = dict.fromkeys(("Body", "ContentType", "Metadata"), ANY)
        stubber.add_response("put_object", {}, {**asked, **others})
        S3Media(client, BUCKET).put(stored, io.BytesIO(PICTURE), FACTS)
        stubber.assert_no_pending_responses()


def test_storing_again_replaces(media: MediaStore) -> None:
    for cost in ("0.1", "0.2"):
        media.put(output("image/x.png"), io.BytesIO(PICTURE), {**FACTS, "cost-usd": cost})
    assert [found.facts["cost-usd"] for found in media.find("image/")] == ["0.2"]


def test_an_object_holds_the_bytes_and_says_what_they_are(aws: LocalAws) -> None:
    S3Media(aws.s3, BUCKET).put(output("image/x.png"), io.BytesIO(PICTURE), FACTS)
    found = aws.s3.get_object(Bucket=BUCKET, Key="image/x.png")
    assert (found["Body"].read(), found["ContentType"]) == (PICTURE, "image/png")


def test_more_objects_than_a_page_are_found(aws: LocalAws) -> None:
    store = S3Media(aws.s3, BUCKET)
    for number in range(12):
        store.put(output(f"image/{number}.png"), io.BytesIO(PICTURE), FACTS)
    paginator = aws.s3.get_paginator("list_objects_v2")
    pages = list(paginator.paginate(Bucket=BUCKET, PaginationConfig={"PageSize": 5}))
    assert len(pages) == 3, "moto honours page sizes, so that the adapter's own paging means something"
    assert len(store.find("image/")) == 12


def test_a_link_names_the_object_and_is_signed(aws: LocalAws) -> None:
    uri, url = S3Links(aws.s3, BUCKET, 60).sign("image/x.png")
    assert uri == f"s3://{BUCKET}/image/x.png"
    assert url.startswith("https://")
    assert "Signature=" in url
