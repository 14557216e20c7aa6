"""Keys that rotate under a working dispatcher."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mediarelay.http.messages import HttpRequest
from mediarelay.keys.parsing import key_id, keys_from
from mediarelay.keys.pools import KeyPools, TakenKey
from mediarelay.keys.states import KeyStatus, KeyVerdict
from mediarelay.limits.acquiring import NoPermit
from mediarelay.providers import listing
from mediarelay.providers.credentials import FunctionRole
from mediarelay.providers.openai.speech import OPENAI_TTS, OpenAiShapedSpeech
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.outcome import Failure, Outcome
from tests.builders.keys import fake_key, keys
from tests.builders.requests import message, tts
from tests.doubles.clock import EPOCH
from tests.doubles.keys import FixedKeys
from tests.doubles.scripted_http import speech
from tests.doubles.trouble import Flaky
from tests.harness.bench import Bench
from tests.harness.worker import key_pools, worker

REQUEST = tts(providers=["openai-tts"])


class SignedByRole(OpenAiShapedSpeech):
    """That of a made-up vendor that knows no keys."""

    def sign(self, request: HttpRequest, credential: str, *, now: float) -> HttpRequest:
        role = FunctionRole().read(credential)
        return request.with_headers({"authorization": f"{role.access_key_id} at {now:.0f} for {request.url}"})


@pytest.fixture
def source(bench: Bench) -> FixedKeys:
    bench.world.source = source = FixedKeys(keys(openai=1))
    return source


def test_a_rotated_key_is_used_by_the_same_worker_and_the_old_one_is_not(bench: Bench, source: FixedKeys) -> None:
    service = worker(bench.world)
    service.handle(message(REQUEST), worker_ends_at=bench.world.ends_at)
    source.keys = {"openai": keys(openai=2)["openai"][1:]}
    service.handle(message(REQUEST, message_id="message-2"), worker_ends_at=bench.world.ends_at)
    assert [fake_key("openai", n) in call.auth for n, call in enumerate(bench.http.calls)] == [True, True]


def test_a_vendor_without_keys_is_called_with_the_functions_role(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = SignedByRole(**{**vars(OPENAI_TTS), "vendor": "acme"})
    offered = replace(listing.providers()["openai-tts"], vendor="acme")
    monkeypatch.setattr("mediarelay.bootstrap.calling.ALL_PROVIDERS", {"openai-tts": signed})
    monkeypatch.setattr(listing, "providers", lambda: {"openai-tts": offered})
    variables = {"AWS_ACCESS_KEY_ID": "fake-id", "AWS_SECRET_ACCESS_KEY": "fake-secret"}
    bench.world.source = FixedKeys(keys_from(variables, {"acme": FunctionRole()}))
    worker(bench.world).handle(message(REQUEST), worker_ends_at=bench.world.ends_at)
    (call,) = bench.http.calls
    assert call.auth == f"fake-id at {EPOCH:.0f} for {call.url}"
    record = bench.world.jobs.get("message-1")
    assert record is not None
    assert [attempt.key_id for attempt in record.attempts] == [key_id("role at acme")]


def test_keys_that_cannot_be_read_again_leave_those_that_are_known(bench: Bench, source: FixedKeys) -> None:
    flaky = Flaky(source, "load", times=0)
    bench.world.source = flaky
    service = worker(bench.world)
    service.handle(message(REQUEST), worker_ends_at=bench.world.ends_at)
    flaky._left = None
    service.handle(message(REQUEST, message_id="message-2"), worker_ends_at=bench.world.ends_at)
    record = bench.world.jobs.get("message-2")
    assert record is not None
    assert record.status is JobStatus.SUCCEEDED


@pytest.fixture
def acme(bench: Bench) -> tuple[KeyPools, str, str]:
    """The pools of a worker with two accounts' keys, and the keys of each: acme's and the other's."""
    written = [{"key": fake_key("elevenlabs", number), "account": name} for number, name in enumerate(("acme", "main"))]
    bench.world.source = FixedKeys(keys_from({"ELEVENLABS_API_KEYS": written}))
    pools = key_pools(bench.world)
    pools.refresh()
    mine, other = (key_id(fake_key("elevenlabs", number)) for number in range(2))
    return pools, mine, other


def take(pools: KeyPools, **given: object) -> str | NoPermit:
    """The id of the key that acme's voice is asked with; it is given back."""
    fields = {"avoid": frozenset(), "account": "acme", **given}
    answer = pools.take("elevenlabs", "elevenlabs-tts", **fields)
    if isinstance(answer, NoPermit):
        return answer
    pools.abandoned(answer, "elevenlabs-tts")
    return answer.entry.key_id


def test_an_accounts_keys_are_asked_first_as_often_as_it_takes(acme: tuple[KeyPools, str, str]) -> None:
    pools, mine, _ = acme
    assert {take(pools) for _ in range(6)} == {mine}


def test_an_account_whose_keys_merely_cool_is_waited_for(bench: Bench, acme: tuple[KeyPools, str, str]) -> None:
    pools, _, _ = acme
    taken = pools.take("elevenlabs", "elevenlabs-tts", frozenset(), account="acme")
    assert isinstance(taken, TakenKey)
    pools.failed(taken, "elevenlabs-tts", Failure(Outcome.THROTTLED, "rate_limit_exceeded", wait_seconds=20.0))
    answer = take(pools)
    assert isinstance(answer, NoPermit)
    assert answer.retry_at is not None
    assert answer.retry_at > bench.world.clock.now()


def test_others_keys_are_asked_when_the_accounts_will_not_do(acme: tuple[KeyPools, str, str]) -> None:
    pools, mine, other = acme
    assert take(pools, foreign=frozenset({mine})) == other
    taken = pools.take("elevenlabs", "elevenlabs-tts", frozenset(), account="acme")
    assert isinstance(taken, TakenKey)
    pools.failed(taken, "elevenlabs-tts", Failure(Outcome.KEY_REJECTED, "invalid_api_key"))
    assert take(pools) == other


def test_an_account_without_keys_leaves_all_to_be_asked(acme: tuple[KeyPools, str, str]) -> None:
    pools, mine, other = acme
    assert {take(pools, account="unheard") for _ in range(4)} == {mine, other}


def test_a_vendor_whose_keys_were_all_removed_has_none(bench: Bench, source: FixedKeys) -> None:
    service = worker(bench.world)
    service.handle(message(REQUEST), worker_ends_at=bench.world.ends_at)
    source.keys = keys(elevenlabs=1)
    service.handle(message(REQUEST, message_id="message-2"), worker_ends_at=bench.world.ends_at)
    assert bench.causes() == ["no_provider"]


def test_what_another_worker_saw_keeps_this_one_from_the_key(bench: Bench) -> None:
    entry = keys(openai=2)["openai"][0].entry
    verdict = KeyVerdict(
        vendor="openai",
        key_id=entry.key_id,
        account=entry.account,
        provider=None,
        status=KeyStatus.REJECTED,
        until=EPOCH + 300,
        strikes=1,
        code="invalid_api_key",
        observed_at=EPOCH - 1,
        spreads=False,
    )
    bench.world.states.save(verdict)
    bench.world.states.save(replace(verdict, vendor="elevenlabs"))
    bench.http.always("", speech())
    for number in range(4):
        bench.handle(REQUEST, message_id=f"m-{number}")
    assert all(fake_key("openai", 1) in call.auth for call in bench.http.calls)
    assert len(bench.http.calls) == 4
