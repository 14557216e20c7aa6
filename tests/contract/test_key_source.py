from __future__ import annotations

import json
import traceback
from typing import Any

import pytest

from mediarelay.keys.parsing import keys_from
from mediarelay.keys.ports import KeySource
from mediarelay.keys.secrets_manager import EnvironmentKeys, SecretKeys
from mediarelay.providers.openai.parsing import parse_servers
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.builders.keys import fake_key
from tests.doubles.keys import FixedKeys
from tests.harness.local_aws import LocalAws

NAME = "provider-keys"
BESIDE = {"VOICES": '{"house": {}}'}
FIELDS = {"OPENAI_API_KEYS": f"{fake_key('openai', 1)}, ,{fake_key('openai', 2)}", "FAL_KEY": fake_key("fal", 1)}
WRONG = {"ELEVENLABS_API_KEYS": json.dumps([{"key": fake_key("elevenlabs", 1), "concurency": 3}])}
REASON = "ELEVENLABS_API_KEYS[0]: field 'concurency' is not known"


def secret_source(aws: LocalAws, value: str, **fallback: str) -> SecretKeys:
    aws.secrets.create_secret(Name=NAME, SecretString=value)
    return SecretKeys(aws.secrets, NAME, fallback=fallback)


@pytest.fixture(params=["environment", "secret", "fixed"])
def source(request: pytest.FixtureRequest) -> KeySource:
    if request.param == "environment":
        return EnvironmentKeys({**FIELDS, **WRONG, **BESIDE})
    if request.param == "fixed":
        fixed = FixedKeys(keys_from(FIELDS), {"elevenlabs": REASON})
        fixed.others = {**BESIDE}
        return fixed
    return secret_source(request.getfixturevalue("aws"), json.dumps({**FIELDS, **WRONG, **BESIDE}))


def texts(source: KeySource, vendor: str) -> list[str]:
    return [key.secret.get_secret_value() for key in source.load().get(vendor, ())]


def test_keys_come_by_vendor_in_order(source: KeySource) -> None:
    assert texts(source, "openai") == [fake_key("openai", 1), fake_key("openai", 2)]
    assert texts(source, "fal") == [fake_key("fal", 1)]
    assert set(source.load()) == {"openai", "fal"}


def test_a_vendor_whose_entry_is_wrong_is_left_out_and_what_is_wrong_is_said(source: KeySource) -> None:
    assert "elevenlabs" not in source.load()
    (vendor, reason), *others = source.faults().items()
    assert (vendor, others) == ("elevenlabs", [])
    assert reason.startswith(REASON)
    assert fake_key("elevenlabs", 1)[:8] not in reason


@pytest.mark.parametrize("kind", ["environment", "secret"])
def test_a_server_that_is_added_has_its_keys_and_one_that_is_wrong_is_told_of(kind: str, aws: LocalAws) -> None:
    model = {"id": "m", "prices": {"per_million_characters": 0}}
    server = {"name": "acme", "base_url": "https://tts.acme.example", "models": [model], "voices": ["anna"]}
    added = parse_servers(json.dumps([server, {**server, "name": "other", "voices": []}]))
    fields = {**FIELDS, "ACME_API_KEY": fake_key("acme", 1)}
    source: KeySource = EnvironmentKeys(fields, added)
    if kind == "secret":
        aws.secrets.create_secret(Name=NAME, SecretString=json.dumps(fields))
        source = SecretKeys(aws.secrets, NAME, fallback={}, added=added)
    assert texts(source, "acme") == [fake_key("acme", 1)]
    assert set(source.load()) == {"openai", "fal", "acme"}
    assert list(source.faults()) == ["other"]


def test_reading_again_gives_the_same_keys_without_parsing_them_again(source: KeySource) -> None:
    assert source.load() is source.load()


def test_what_stands_beside_the_keys_is_read_with_them(source: KeySource) -> None:
    source.load()
    assert source.beside("VOICES") == BESIDE["VOICES"]
    assert source.beside("NOTHING") is None


def test_what_stands_beside_the_keys_falls_back_too(aws: LocalAws) -> None:
    source = secret_source(aws, json.dumps(FIELDS), **BESIDE)
    assert source.beside("VOICES") == BESIDE["VOICES"]
    source.load()
    assert source.beside("VOICES") == BESIDE["VOICES"]


def test_the_fallback_gives_what_the_secret_does_not_name(aws: LocalAws) -> None:
    source = secret_source(aws, json.dumps(FIELDS), FAL_KEY="fake-other", ELEVENLABS_API_KEY="fake-eleven")
    assert texts(source, "elevenlabs") == ["fake-eleven"]
    assert texts(source, "fal") == [fake_key("fal", 1)]


def test_a_rotated_secret_is_picked_up_once_the_cache_is_old(aws: LocalAws) -> None:
    source = secret_source(aws, json.dumps(FIELDS))
    source.load()
    aws.secrets.put_secret_value(SecretId=NAME, SecretString=json.dumps({"OPENAI_API_KEY": "fake-rotated"}))
    assert len(texts(source, "openai")) == 2
    source._provider.clear_cache()
    assert texts(source, "openai") == ["fake-rotated"]
    assert set(source.load()) == {"openai"}


@pytest.mark.parametrize(
    "value",
    [
        f'{{"OPENAI_API_KEY": "{fake_key("openai", 7)}"',
        f'"{fake_key("openai", 7)}"',
    ],
    ids=["no-json", "no-object"],
)
def test_a_malformed_secret_is_a_store_that_is_away_and_no_error_repeats_it(aws: LocalAws, value: str) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        secret_source(aws, value).load()
    shown = "".join(traceback.format_exception(caught.value)) + repr(_chain(caught.value))
    assert fake_key("openai", 7)[:8] not in shown


@pytest.mark.parametrize("wrong", ['["broken', "[" * 100_000], ids=["broken", "nested"])
def test_a_running_worker_goes_on_with_the_keys_whose_entry_has_become_wrong(aws: LocalAws, wrong: str) -> None:
    source = secret_source(aws, json.dumps(FIELDS))
    source.load()
    aws.secrets.put_secret_value(SecretId=NAME, SecretString=json.dumps({**FIELDS, "FAL_KEY": wrong}))
    source._provider.clear_cache()
    assert texts(source, "fal") == [fake_key("fal", 1)]
    assert source.faults() == {"fal": "FAL_KEY: is not valid JSON"}


def _chain(error: BaseException | None) -> list[Any]:
    return [] if error is None else [error.args, vars(error), *_chain(error.__cause__), *_chain(error.__context__)]


def test_a_missing_secret_is_a_store_that_is_away(aws: LocalAws) -> None:
    assert aws.secrets
    with pytest.raises(StoreUnavailable, match=r"ResourceNotFound|ClientError"):
        SecretKeys(aws.secrets, "nowhere", fallback={}).load()
