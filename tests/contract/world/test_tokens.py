"""The API's tokens, as their secret holds them."""

from __future__ import annotations

import json

import pytest
from botocore.config import Config

from mediarelay.api.secrets_manager import SecretTokens
from mediarelay.vocabulary.errors import StoreUnavailable
from tests.harness.local_aws import LocalAws


def test_tokens_are_what_the_secret_lists(aws: LocalAws) -> None:
    told = [{"name": "ann", "token": "t" * 32, "expires_at": 5.0}]
    aws.secrets.create_secret(Name="tokens", SecretString=json.dumps(told))
    (token,) = SecretTokens("tokens", Config()).load()
    assert (token.name, token.token.get_secret_value(), token.expires_at) == ("ann", "t" * 32, 5.0)


def test_a_secret_that_is_no_list_of_tokens_is_a_store_that_is_away_and_no_error_repeats_it(aws: LocalAws) -> None:
    aws.secrets.create_secret(Name="tokens", SecretString='[{"token": "not-to-be-repeated"}]')
    with pytest.raises(StoreUnavailable) as caught:
        SecretTokens("tokens", Config()).load()
    assert "not-to-be-repeated" not in str(caught.value)
    assert caught.value.__context__ is None
