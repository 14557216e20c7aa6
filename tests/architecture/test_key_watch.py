"""The watch over the whole suite sees what it is there to see."""

from __future__ import annotations

import logging

import pytest

from mediarelay.vocabulary.errors import StoreUnavailable
from tests.builders.keys import fake_key
from tests.harness.key_watch import KeyWatch
from tests.harness.local_aws import local_aws

pytestmark = pytest.mark.plants_keys
KEY = fake_key("openai", 7)


def test_it_sees_a_key_in_a_log_line_and_in_its_fields(key_watch: KeyWatch) -> None:
    logging.getLogger("mediarelay.services.x").warning("trying %s", KEY)
    logging.getLogger("mediarelay.services.x").warning("trying", extra={"key": KEY})
    assert set(key_watch.take()) == {f"log mediarelay.services.x: {KEY}"}


def test_it_sees_a_key_on_its_way_into_a_table_or_an_event(key_watch: KeyWatch) -> None:
    with local_aws() as aws:
        aws.dynamodb.put_item(TableName="jobs", Item={"request_id": {"S": "1"}, "note": {"S": KEY}})
        aws.sns.publish(TopicArn=aws.topic_arn, Message=KEY)
    assert key_watch.take() == [f"aws dynamodb PutItem: {KEY}", f"aws sns Publish: {KEY}"]


def test_it_sees_a_key_in_an_error(key_watch: KeyWatch) -> None:
    StoreUnavailable("jobs table", "be read", f"bad {KEY}")
    assert key_watch.take() == [f"StoreUnavailable: {KEY}"]
