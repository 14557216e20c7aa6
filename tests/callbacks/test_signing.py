"""Standard Webhooks' own library of Python checks what we sign; what that of JavaScript signed is in a file."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from mediarelay.callbacks.signing import (
    BODY_LIMIT_BYTES,
    UnusableSecret,
    payload,
    secret_bytes,
    secrets_by_host,
    signed_headers,
    webhook_id,
)
from tests.builders.events import event

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()
VECTORS = json.loads((Path(__file__).parent / "signed_by_javascript.json").read_text(encoding="utf-8"))


def now() -> int:
    """The library takes five minutes of difference, and a run of all tests is longer than that."""
    return int(datetime.now(UTC).timestamp())


@given(body=st.text(), key=st.binary(min_size=24, max_size=64))
def test_the_library_takes_what_is_signed(body: str, key: bytes) -> None:
    told = json.dumps({"said": body}).encode()
    headers = signed_headers(webhook_id("a.b@1"), now(), told, [key])
    assert Webhook("whsec_" + base64.b64encode(key).decode()).verify(told, headers) == {"said": body}


@pytest.mark.parametrize("known", [SECRET, OTHER])
def test_while_a_secret_is_replaced_a_receiver_may_know_either(known: str) -> None:
    headers = signed_headers("evt_1", now(), b"{}", [secret_bytes(SECRET), secret_bytes(OTHER)])
    assert Webhook(known).verify(b"{}", headers) == {}


def test_the_library_refuses_what_was_changed() -> None:
    at = now()
    headers = signed_headers("evt_1", at, b"{}", [secret_bytes(SECRET)])
    assert Webhook(SECRET).verify(b"{}", headers) == {}
    for change in ({"webhook-id": "evt_2"}, {"webhook-timestamp": str(at + 1)}):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(b"{}", {**headers, **change})


@pytest.mark.parametrize("vector", VECTORS["signed"], ids=lambda each: each["id"])
def test_we_sign_as_the_library_of_javascript_does(vector: dict[str, Any]) -> None:
    keys = [secret_bytes(each) for each in vector["secrets"]]
    headers = signed_headers(vector["id"], vector["timestamp"], vector["body"].encode(), keys)
    assert headers["webhook-signature"] == vector["signature"]


@pytest.mark.parametrize(
    "written",
    ["", "whsec_", SECRET.removeprefix("whsec_"), "whsec_***", "whsec_" + base64.b64encode(b"k" * 23).decode()],
)
def test_a_secret_of_another_form_is_refused_without_its_words(written: str) -> None:
    with pytest.raises(UnusableSecret) as caught:
        secret_bytes(written)
    assert not written.removeprefix("whsec_") or written not in str(caught.value)


def test_a_mistake_leaves_one_host_out() -> None:
    document = {"A.example.com": [SECRET], "b.example.com": "whsec_", "c.example.com": [], "d.example.com": ["no"]}
    keys, faults = secrets_by_host(document)
    assert keys == {"a.example.com": (b"k" * 32,)}
    assert sorted(faults) == ["b.example.com", "c.example.com", "d.example.com"]


def test_a_secret_of_two_hosts_is_none_of_the_second() -> None:
    keys, faults = secrets_by_host({"a.example.com": [SECRET], "b.example.com": [OTHER, SECRET]})
    assert list(keys) == ["a.example.com"]
    assert list(faults) == ["b.example.com"]


def test_an_id_has_no_dot_whatever_its_event_has() -> None:
    made = webhook_id("order.17@1793440000000")
    assert made == webhook_id("order.17@1793440000000") != webhook_id("order.18@1793440000000")
    assert made.startswith("evt_")
    assert "." not in made
    assert len(made) == 36


def test_the_body_is_the_event_at_its_moment() -> None:
    told = event(settled_at=1_793_440_000_123).model_dump(mode="json")
    body = payload(told, thin=False)
    assert (body["type"], body["data"]) == ("media.settled", told)
    assert datetime.fromisoformat(body["timestamp"]).timestamp() == 1_793_440_000.123
    assert body["timestamp"].endswith("Z")


def test_a_thin_body_names_the_job_and_nothing_of_what_it_made() -> None:
    body = payload(event(tenant="acme", metadata={"a": 1}).model_dump(mode="json"), thin=True)
    assert set(body["data"]) == {
        *("version", "event_id", "request_id", "job_id", "kind", "status", "tenant", "settled_at")
    }


def test_of_a_body_that_is_too_long_the_attempts_are_counted() -> None:
    told = event(metadata={"a": "x" * BODY_LIMIT_BYTES}).model_dump(mode="json")
    told["attempts"] = [{"provider": "openai-tts"}] * 3
    data = payload(told, thin=False)["data"]
    assert (data["attempts"], data["attempts_left_out"]) == ([], 3)
