"""The manifests, and all that is derived from them."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import mediarelay.providers
from mediarelay.http.messages import HttpRequest
from mediarelay.providers.catalogue import models
from mediarelay.providers.credentials import ApiKeys, FunctionRole, aws_signature
from mediarelay.providers.listing import INDEX, base_url_variables, base_urls, healthy_seconds, vendors
from mediarelay.providers.parsing import InvalidBaseUrls, parse_base_urls, parse_models
from mediarelay.providers.registry import (
    ALL_PROVIDERS,
    JOB_PROVIDERS,
    NAMES,
    PROVIDERS,
    VENDORS,
    by_kind,
    by_name,
    index,
    listed,
    manifest,
)
from mediarelay.vocabulary.kinds import Kind

FOLDER = Path(mediarelay.providers.__file__).parent
EVERY_VENDOR = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)


def test_every_folder_is_a_vendor_of_the_list():
    assert {path.parent.name for path in FOLDER.glob("*/models.json")} == set(VENDORS)
    assert {path.parent.name for path in FOLDER.glob("*/__init__.py")} == set(VENDORS)


def test_the_index_is_what_the_manifests_say():
    assert INDEX.read_text() == index(map(manifest, NAMES)), "run `python -m tools.provider_table write`"
    assert list(vendors().values()) == [listed(manifest(name)) for name in NAMES]


def test_no_vendors_code_is_imported_before_it_is_asked_for():
    program = (
        "import sys; from mediarelay.providers import registry; registry.by_name('groq-tts');"
        "assert 'fal-flux' in registry.ALL_PROVIDERS and 'deepgram' in registry.PROBES;"
        "print(sorted({name.split('.')[2] for name in sys.modules if name.startswith('mediarelay.providers.')}"
        " & set(registry.NAMES)))"
    )
    # groq speaks in OpenAI's shape
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "['groq', 'openai']\n"


@EVERY_VENDOR
def test_a_manifest_speaks_of_its_own_providers_and_addresses_only(vendor):
    names = {provider.name for provider in vendor.providers}
    assert {provider.vendor for provider in vendor.providers} == {vendor.name}
    assert {provider.host for provider in vendor.providers} == set(vendor.base_urls)
    assert {name.partition("/")[0] for name in vendor.healthy_seconds} <= names
    assert set(vendor.notes) <= names
    assert all(url.startswith("https://") and not url.endswith("/") for url in vendor.base_urls.values())


@EVERY_VENDOR
def test_a_vendors_models_are_those_of_its_providers(vendor):
    written = parse_models((FOLDER / vendor.name / "models.json").read_bytes())
    assert set(written) == {provider.name for provider in vendor.providers}
    assert {name: models(name) for name in written} == written


ENTRY = {"id": "m", "typical_seconds": 1.0, "source": "acme.example/prices", "checked": "2026-11-27"}


@pytest.mark.parametrize(
    "slip",
    [
        {"typical_second": 1.0},
        {"prices": {"per_second": -1}},
        {"retires": "soon"},
        {"checked": "lately"},
        {"source": ""},
        {"source": "/some/path/prices.md"},
    ],
    ids=str,
)
def test_a_slip_in_a_models_file_is_found(slip):
    with pytest.raises(ValueError, match="acme-tts"):
        parse_models(json.dumps({"acme-tts": [{**ENTRY, **slip}]}).encode())


@pytest.mark.parametrize("missing", ["source", "checked"])
def test_a_model_says_where_its_figures_are_from_and_when_they_were_read(missing):
    entry = {name: value for name, value in ENTRY.items() if name != missing}
    with pytest.raises(ValueError, match=missing):
        parse_models(json.dumps({"acme-tts": [entry]}).encode())


def test_no_two_vendors_read_the_same_variable():
    keys = [
        name
        for each in VENDORS.values()
        if isinstance(each.credentials, ApiKeys)
        for name in each.credentials.variables
    ]
    addresses = list(base_url_variables().values())
    assert len({*keys, *addresses}) == len(keys) + len(addresses)


def test_providers_are_found_by_their_own_name():
    assert all(by_name(name) is provider and provider.name == name for name, provider in ALL_PROVIDERS.items())
    assert {*PROVIDERS, *JOB_PROVIDERS} == set(ALL_PROVIDERS)
    assert set(PROVIDERS) & set(JOB_PROVIDERS) == set()


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        (Kind.TTS, ["openai-tts", "elevenlabs-tts", "gemini-tts"]),
        (Kind.IMAGE, ["openai-image", "fal-flux", "fal-flux-2"]),
        (Kind.VIDEO, ["kling-video", "fal-kling", "replicate-video"]),
        (Kind.AUDIO, ["elevenlabs-audio", "fal-stable-audio", "fal-sound-effects"]),
    ],
)
def test_each_kind_has_its_providers_in_order(kind, first):
    assert [provider.name for provider in by_kind(kind)][: len(first)] == first


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(LookupError, match=r"no provider acme-tts; there are openai-tts, openai-image"):
        by_name("acme-tts")


def test_thresholds_are_by_provider():
    assert (healthy_seconds()["openai-image"], healthy_seconds()["fal-kling/completion"]) == (80.0, 600.0)


# --- addresses ----------------------------------------------------------------------------------------------------


def test_every_provider_has_its_vendors_own_address():
    own = base_urls({}, {})
    assert set(own) == set(ALL_PROVIDERS)
    assert (own["openai-tts"], own["openai-image"]) == ("https://api.openai.com/v1", "https://api.openai.com/v1")
    assert (own["fal-flux"], own["fal-kling"]) == ("https://fal.run", "https://queue.fal.run")


def test_an_address_of_a_vendor_has_a_variable_of_its_own():
    variables = base_url_variables()
    assert (variables["openai"], variables["fal-queue"]) == ("OPENAI_BASE_URL", "FAL_QUEUE_BASE_URL")


def test_one_variable_for_all_replaces_addresses_and_a_single_one_counts_first():
    written = parse_base_urls('{"openai": "http://o/v1", "fal-queue": "http://q"}', base_url_variables())
    found = base_urls(written, {"OPENAI_BASE_URL": "http://mine", "FAL_QUEUE_BASE_URL": ""})
    assert (found["openai-tts"], found["fal-kling"], found["fal-flux"]) == (
        "http://mine",
        "http://q",
        "https://fal.run",
    )


def test_no_text_replaces_nothing():
    assert parse_base_urls("  ", base_url_variables()) == {}


ACME = replace(VENDORS["gemini"], name="acme", base_url="https://acme.{region}.amazonaws.com", providers=())


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "x"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "ap-south-1"}, "ap-south-1"),
        ({}, "us-east-1"),
    ],
)
def test_an_address_of_awss_own_is_in_the_functions_region(environment, region):
    provider = SimpleNamespace(name="acme-tts", host="acme")
    vendor = replace(ACME, providers=(provider,))
    assert base_urls({}, environment, [vendor]) == {"acme-tts": f"https://acme.{region}.amazonaws.com"}


@pytest.mark.parametrize(
    "text",
    [
        "http://o",
        '["http://o"]',
        '{"openai": 1}',
        '{"openai": "o"}',
        '{"openai": "http://o?x=1"}',
        '{"acme": "http://o"}',
    ],
)
def test_an_unusable_text_is_answered_in_one_line_with_what_is_allowed(text):
    with pytest.raises(InvalidBaseUrls) as caught:
        parse_base_urls(text, base_url_variables())
    message = str(caught.value)
    assert message.startswith('PROVIDER_BASE_URLS must be JSON such as {"openai": "https://…"}')
    assert "names are openai, elevenlabs, " in message
    assert "\n" not in message


# --- a vendor without keys ----------------------------------------------------------------------------------------


def test_the_functions_role_is_one_credential_which_a_signer_can_read():
    role = FunctionRole()
    variables = {
        "AWS_ACCESS_KEY_ID": "fake-id",
        "AWS_SECRET_ACCESS_KEY": "fake-secret",
        "AWS_SESSION_TOKEN": "fake-token",
        "AWS_REGION": "eu-west-1",
    }
    credential = role.credential(variables)
    found = role.read(credential)
    told = (found.access_key_id, found.secret_access_key, found.session_token, found.region)
    assert told == tuple(variables.values())
    assert "fake-secret" not in repr(found)


@pytest.mark.parametrize(("told", "offered"), [("on", True), ("off", False), ("", False), (None, False)])
def test_a_role_that_may_not_call_the_vendor_is_no_credential(told, offered):
    variables = {"AWS_ACCESS_KEY_ID": "fake-id", "AWS_SECRET_ACCESS_KEY": "fake-secret", "ACME_SPEECH": told}
    assert (FunctionRole(allowed_by="ACME_SPEECH").credential(variables) is not None) is offered


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_without_a_role_there_is_no_credential(missing):
    variables = {"AWS_ACCESS_KEY_ID": "fake-id", "AWS_SECRET_ACCESS_KEY": "fake-secret", missing: ""}
    assert FunctionRole().credential(variables) is None


# --- signing ------------------------------------------------------------------------------------------------------


def test_a_signature_can_cover_all_that_is_sent():
    request = HttpRequest("POST", "/v1/x", {"a": 1}, params={"q": "1"}).at("https://host/base/")
    assert (request.url, request.body) == ("https://host/base/v1/x", b'{"a": 1}')
    assert HttpRequest("GET", "/", {}).body is None


ROLE = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "fake-secret", "AWS_SESSION_TOKEN": "fake-token"}
NOON = 1_790_000_000.0


def signed_for(url, environment, **fields):
    request = HttpRequest("POST", "/v1/x", {"a": 1}, **fields).at(url)
    return aws_signature("acme")(request, FunctionRole().credential({**ROLE, **environment}), now=NOON).headers


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://acme.eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://acme-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("http://127.0.0.1:8000/acme", "ap-south-1"),
    ],
)
def test_a_request_to_aws_is_signed_for_the_region_of_its_address_or_else_the_roles(url, region):
    headers = signed_for(url, {"AWS_REGION": "ap-south-1"})
    assert f"Credential=AKIDEXAMPLE/20260921/{region}/acme/aws4_request" in headers["authorization"]
    assert (headers["x-amz-date"], headers["x-amz-security-token"]) == ("20260921T141320Z", "fake-token")
    assert "fake-secret" not in repr(headers)


def test_the_signature_is_that_of_awss_own_client(monkeypatch):
    request = AWSRequest(
        "POST",
        "https://acme.eu-west-1.amazonaws.com/v1/x",
        {"Content-Type": "application/json"},
        b'{"a": 1}',
        {"q": "1 2"},
    )
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(NOON, UTC))
    keys = Credentials("AKIDEXAMPLE", "fake-secret", "fake-token")
    SigV4Auth(keys, "acme", "eu-west-1").add_auth(request)
    ours = signed_for("https://acme.eu-west-1.amazonaws.com", {}, params={"q": "1 2"})
    assert ours == {name.lower(): value for name, value in request.headers.items()}


def test_a_signed_request_does_not_show_its_credential():
    assert "fake-key" not in repr(HttpRequest("GET", "/", {}).with_headers({"authorization": "Bearer fake-key"}))
