from __future__ import annotations

import pytest

from mediarelay.api.openai.dynamodb import DynamoMarkers
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.harness.local_aws import TELEMETRY, LocalAws

NOW = 1_800_000_000


def test_the_newest_note_of_a_request_holds_until_its_end(aws: LocalAws) -> None:
    markers = DynamoMarkers(aws.dynamodb, TELEMETRY)
    assert markers.find("digest", NOW) is None
    for name in ("o-1", "o-2"):
        markers.note("digest", name, NOW + 900)
    assert markers.find("digest", NOW) == markers.find("digest", NOW + 899) == "o-2"
    assert markers.find("digest", NOW + 900) is None
    assert markers.find("another", NOW) is None


def test_a_table_that_is_away_is_unavailable(aws: LocalAws) -> None:
    markers = DynamoMarkers(aws.dynamodb, "no-such-table")
    for call in (lambda: markers.find("digest", NOW), lambda: markers.note("digest", "o-1", NOW)):
        with pytest.raises(StoreUnavailable):
            call()
