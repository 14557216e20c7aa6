"""Malformed messages among good ones: every good one is served, every bad one rejected with its cause."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import responses
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders.requests import tts
from tests.doubles.scripted_http import MEDIA
from tests.fuzz.bodies import HOSTILE, bad_bodies, wrapped
from tests.harness.function_events import sqs_record
from tests.harness.functions import ELEVENLABS_SPEECH, OPENAI_SPEECH, Deployed

EXAMPLES = settings.default.max_examples
BATCHES, BAD, GOOD = EXAMPLES // 4, 8, 2
PRINTABLE = re.compile(r"[\x20-\x7e…]+")
CODES = {"too_large", "not_json", "unknown_kind", "invalid_request"}
numbers = itertools.count()


@settings(
    max_examples=BATCHES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(bad=st.lists(bad_bodies, min_size=BAD, max_size=BAD), dice=st.randoms(use_true_random=False), sns=st.booleans())
def test_good_messages_are_served_and_bad_ones_rejected_with_a_cause(
    deployed: Deployed, vendors: responses.RequestsMock, bad: list[str], dice: Any, *, sns: bool
) -> None:
    vendors.reset()
    vendors.post(OPENAI_SPEECH, body=MEDIA["mp3"], content_type="audio/mpeg")
    batch = next(numbers)
    good = [tts(f"good {n}", request_id=f"good-{batch}-{n}", providers=["openai-tts"]) for n in range(GOOD)]
    bodies = [*bad, *(wrapped(json.dumps(request)) if sns else json.dumps(request) for request in good)]
    records = [sqs_record(body, f"m-{batch}-{n}") for n, body in enumerate(bodies)]
    dice.shuffle(records)

    failures, parked = deployed.dispatch(*records), everything_parked(deployed)

    assert failures == []
    statuses = [deployed.job(request["request_id"]).get("status") for request in good]
    assert statuses == [{"S": "succeeded"}] * GOOD
    assert sorted(message["Body"] for message in parked) == sorted(bad)
    for message in parked:
        facts = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
        assert facts["error_code"] in CODES
        assert PRINTABLE.fullmatch(facts["error_message"])


def everything_parked(deployed: Deployed) -> list[dict[str, Any]]:
    """Taken out of the DLQ, so that one batch's failure is not the next one's too."""
    messages: list[dict[str, Any]] = deployed.aws.received(deployed.aws.dlq_url)
    for message in messages:
        deployed.aws.sqs.delete_message(QueueUrl=deployed.aws.dlq_url, ReceiptHandle=message["ReceiptHandle"])
    return messages


@settings(
    max_examples=EXAMPLES // 6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    metadata=st.dictionaries(st.sampled_from([word for word in HOSTILE if word]), st.sampled_from(HOSTILE), max_size=3),
    text=st.sampled_from(HOSTILE).filter(str.strip),
)
def test_hostile_but_allowed_words_reach_the_subscriber_as_they_are_and_no_name_of_ours(
    deployed: Deployed, vendors: responses.RequestsMock, metadata: dict[str, str], text: str
) -> None:
    vendors.reset()
    for url in (OPENAI_SPEECH, ELEVENLABS_SPEECH):
        # As long as the text could be, read aloud.
        audio = MEDIA["mp3"] + bytes(100 * len(text))
        vendors.post(re.compile(re.escape(url) + ".*"), body=audio, content_type="audio/mpeg")
    request_id = f"hostile-{next(numbers)}"
    before = set(deployed.aws.objects())
    request = tts(text, request_id=request_id, metadata=metadata, providers=["openai-tts"])
    assert deployed.dispatch(sqs_record(request, f"m-{request_id}")) == []
    job = deployed.job(request_id)
    assert job["status"] == {"S": "succeeded"}
    (key,) = set(deployed.aws.objects()) - before
    assert re.fullmatch(rf"tts/\d{{4}}/\d\d/\d\d/{request_id}/openai-tts-0\.mp3", key)
    assert {name: value["S"] for name, value in job.get("metadata", {"M": {}})["M"].items()} == metadata
