"""The webhook's function: a call with fal's signature wakes, and any other changes nothing and learns nothing."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from mediarelay.long_jobs.webhooks.fal import BODY_LIMIT_BYTES, TOLERANCE_SECONDS, public_keys
from mediarelay.long_jobs.webhooks.signing_keys import KEPT_SECONDS, RENEWED_SECONDS
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from tests.doubles.clock import ManualClock
from tests.doubles.job_vendors import JobVendors
from tests.doubles.scripted_http import document
from tests.harness.long_jobs.fal_webhooks import FalWebhooks
from tools.simulator import webhook

ITEM = {"pk": {"S": "WEBHOOK#fal"}, "sk": {"S": "r-1"}, "token": {"S": "token-1"}, "ttl": {"N": "1"}}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def desk(clock: ManualClock) -> FalWebhooks:
    made = FalWebhooks(JobVendors(clock), clock)
    made.kept(ITEM)
    return made


def signed(desk: FalWebhooks, body: bytes = b"{}", *, at: float | None = None) -> dict[str, str]:
    moment = desk.clock.now() if at is None else at
    return {name.lower(): value for name, value in webhook.signature("r-1", body, now=moment).items()}


def test_a_signed_call_wakes_who_waits(desk: FalWebhooks) -> None:
    assert desk.call("r-1") == 204
    assert desk.tasks.woken == ["token-1"]


def test_a_call_about_a_job_of_somebody_elses_is_taken_and_wakes_nobody(desk: FalWebhooks) -> None:
    """Anybody with an account at fal can have such a call sent, with a good signature."""
    assert desk.call("r-2") == 204
    assert desk.tasks.woken == []


@pytest.mark.parametrize("name", ["request-id", "user-id", "timestamp", "signature"])
@pytest.mark.parametrize("value", ["", "0", "r-2", "-1", "1e9", "²", "\n", "9" * 300, "ab" * 64])
def test_a_call_whose_headers_were_touched_is_refused(desk: FalWebhooks, name: str, value: str) -> None:
    headers = signed(desk) | {f"x-fal-webhook-{name}": value}
    assert desk.deliver("{}", headers) == 401
    assert desk.tasks.woken == []


@pytest.mark.parametrize("name", ["request-id", "user-id", "timestamp", "signature"])
def test_a_call_without_one_of_its_headers_is_refused(desk: FalWebhooks, name: str) -> None:
    headers = signed(desk)
    del headers[f"x-fal-webhook-{name}"]
    assert desk.deliver("{}", headers) == 401
    assert desk.http.fetched == desk.http.calls == [], "nobody is asked for keys on behalf of such a call"


def test_a_call_with_another_body_is_refused(desk: FalWebhooks) -> None:
    assert desk.deliver('{"a":1}', signed(desk)) == 401
    assert desk.tasks.woken == []


def test_a_call_signed_by_another_key_is_refused(desk: FalWebhooks) -> None:
    assert desk.call("r-1", key=SigningKey.generate()) == 401
    assert desk.tasks.woken == []


@pytest.mark.parametrize("shift", [-TOLERANCE_SECONDS, 0, TOLERANCE_SECONDS])
def test_a_call_of_nearly_now_is_taken(desk: FalWebhooks, shift: float) -> None:
    assert desk.deliver("{}", signed(desk, at=desk.clock.now() + shift)) == 204


@pytest.mark.parametrize("shift", [-TOLERANCE_SECONDS - 2, TOLERANCE_SECONDS + 2])
def test_a_call_of_another_time_is_refused(desk: FalWebhooks, shift: float) -> None:
    assert desk.deliver("{}", signed(desk, at=desk.clock.now() + shift)) == 401
    assert desk.tasks.woken == []


def test_a_body_that_is_too_large_is_not_even_hashed(desk: FalWebhooks) -> None:
    body = "x" * (BODY_LIMIT_BYTES + 1)
    assert desk.deliver(body, signed(desk, body.encode())) == 413
    assert desk.tasks.woken == []


@given(st.text(max_size=80), st.dictionaries(st.text(max_size=40), st.text(max_size=90), max_size=6))
def test_whatever_else_comes_is_refused(body: str, headers: dict[str, str]) -> None:
    desk = FalWebhooks(JobVendors(clock := ManualClock()), clock)
    assert desk.deliver(body, headers) == 401


# --- keys -------------------------------------------------------------------------------------------------------------


def test_keys_are_kept_for_a_while(desk: FalWebhooks, clock: ManualClock) -> None:
    for _ in range(3):
        desk.call("r-1")
    assert len(desk.http.calls) == 1
    clock.advance(KEPT_SECONDS)
    desk.call("r-1")
    assert len(desk.http.calls) == 2


def test_a_new_key_of_the_vendors_is_found_at_once(desk: FalWebhooks, clock: ManualClock) -> None:
    desk.call("r-1")
    clock.advance(RENEWED_SECONDS)
    new = SigningKey.generate()
    public = base64.urlsafe_b64encode(bytes(new.verify_key)).decode().rstrip("=")
    desk.http.default = document(200, {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": public}]})
    desk.kept(ITEM)
    assert desk.call("r-1", key=new) == 204
    assert len(desk.tasks.woken) == 2


def test_bad_signatures_do_not_make_us_ask_for_keys_again_and_again(desk: FalWebhooks) -> None:
    for _ in range(50):
        assert desk.call("r-1", key=SigningKey.generate()) == 401
    assert len(desk.http.calls) == 1


def test_old_keys_serve_while_the_document_is_away(desk: FalWebhooks, clock: ManualClock) -> None:
    desk.call("r-1")
    clock.advance(KEPT_SECONDS)
    desk.http.default = Unreachable("read_timeout", "no answer", sent=True)
    assert desk.call("r-1") == 204


@pytest.mark.parametrize("answer", [document(500, {}), document(200, {"keys": []}), document(200, [])])
def test_without_keys_the_call_has_to_come_again(desk: FalWebhooks, clock: ManualClock, answer: object) -> None:
    good, desk.http.default = desk.http.default, answer  # type: ignore[assignment]
    assert desk.call("r-1") == 503
    assert desk.tasks.woken == []
    desk.http.default = good
    clock.advance(1.0)
    assert desk.call("r-1") == 204


def test_while_the_table_is_away_the_call_has_to_come_again(desk: FalWebhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_request_id: str) -> str:
        raise StoreUnavailable("telemetry table", "find a waiting task", "Throttled")

    monkeypatch.setattr(desk.tasks, "token", away)
    assert desk.call("r-1") == 503


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "RSA", "crv": "Ed25519", "x": "A" * 43},
        {"kty": "OKP", "crv": "X25519", "x": "A" * 43},
        {"kty": "OKP", "crv": "Ed25519", "x": "A" * 42},
        {"kty": "OKP", "crv": "Ed25519", "x": "ä"},
        {"kty": "OKP", "crv": "Ed25519"},
        "no key",
    ],
)
def test_what_is_no_ed25519_key_is_passed_over(entry: object) -> None:
    document_ = document(200, {"keys": [entry, *webhook.key_set()["keys"]]}).body
    assert len(public_keys(document_)) == 1
