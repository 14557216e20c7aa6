"""What a stack reads and does not create, its secrets and its budgets: whether they are there, and can be read.

No finding has any part of a value: fields and positions are named, by the parsers that ship.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import ValidationError

from mediarelay.api.tokens import TOKENS
from mediarelay.bootstrap.settings import hosts_of
from mediarelay.budgets.contract import InvalidBudgets, parse_plan
from mediarelay.callbacks.signing import secrets_by_host
from mediarelay.keys.parsing import CREDENTIALS, ApiKey, InvalidKeys, keys_from
from mediarelay.providers.credentials import ApiKeys, Credentials, FunctionRole
from mediarelay.providers.listing import AddedServers
from mediarelay.providers.registry import PROVIDERS
from mediarelay.voices.book import VOICES_FIELD
from mediarelay.voices.parsing import book_with
from tools.deployment.findings import Finding, asked, fault, fine, note

# A field's name is told where it can be none but a name: somebody may have put a key there.
_NAME: Final = re.compile(r"[A-Z][A-Z_]{2,40}")
_TOKEN_FIELDS: Final = ("name", "token", "expires_at", "role", "tenant")
_MISSING: Final = "ResourceNotFoundException"


@dataclass
class ProviderKeys:
    """What the keys' secret turned out to hold, by vendor; empty until it was looked at."""

    by_vendor: dict[str, tuple[ApiKey, ...]] = field(default_factory=dict)


def provider_keys(session: Any, name: str, added: AddedServers, found: ProviderKeys) -> Iterator[Finding]:
    """Look at the secret of the vendors' keys, and leave in *found* what it holds."""
    text, finding = _read(session, name, fault, "--secret-string file://keys.json")
    if finding is not None:
        yield finding
        return
    fields = _json(text)
    if not isinstance(fields, dict):
        yield fault(f"the secret {name} is not a JSON object of keys such as OPENAI_API_KEYS")
        return
    credentials = {**CREDENTIALS, **added.credentials}
    faults: dict[str, InvalidKeys] = {}
    held = {vendor: each for vendor, each in credentials.items() if isinstance(each, ApiKeys)}
    found.by_vendor = keys_from(fields, held, faults=faults)
    _, of_voices = book_with(fields.get(VOICES_FIELD), list(PROVIDERS), added)
    for wrong in (*faults.values(), *of_voices):
        yield fault(f"the secret {name}: {wrong}")
    unread = fields.keys() - {VOICES_FIELD, *_read_fields(credentials.values())}
    if unread:
        told = sorted(each if _NAME.fullmatch(each) else "one whose name is not told" for each in unread)
        yield note(f"the secret {name} has fields that nothing reads: {', '.join(told)}")
    if not found.by_vendor:
        yield (note if faults else fault)(f"the secret {name} has no vendor's keys")
        return
    count = sum(map(len, found.by_vendor.values()))
    yield fine(f"the secret {name}: {count} keys of {', '.join(found.by_vendor)}")


def _read_fields(sources: Iterable[Credentials]) -> Iterator[str]:
    for source in sources:
        yield from source.variables
        if isinstance(source, FunctionRole):
            yield source.allowed_by


def api_tokens(session: Any, name: str) -> Iterator[Finding]:
    """Look at the secret of the API's tokens. A stack may do without one: nobody is let in then."""
    text, finding = _read(session, name, note, "--secret-string file://tokens.json; until then the API lets nobody in")
    if finding is not None:
        yield finding
        return
    try:
        tokens = TOKENS.validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(each) for each in problem["loc"] if isinstance(each, int) or each in _TOKEN_FIELDS)
        yield fault(f"the secret {name} is no list of tokens ({where or 'as a whole'}: {problem['type']})")
        return
    yield fine(f"the secret {name}: {len(tokens)} tokens")


def callback_secrets(session: Any, name: str, written: str) -> Iterator[Finding]:
    """Look at the secrets of those who may be called back, where anybody may: whoever has none is not called."""
    hosts = hosts_of(written)
    if not hosts:
        return
    text, finding = _read(session, name, fault, "--secret-string file://callbacks.json (docs/callbacks.md)")
    if finding is not None:
        yield finding
        return
    fields = _json(text)
    if not isinstance(fields, dict):
        yield fault(f"the secret {name} is not a JSON object of secrets by host")
        return
    keys, faults = secrets_by_host(fields)
    yield from (fault(f"the secret {name}, {host}: {why}") for host, why in faults.items())
    lacking = [host for host in hosts if not host.startswith("*.") and host not in {*keys, *faults}]
    yield from (fault(f"the secret {name} has none for {host}, who is not called back without") for host in lacking)
    if keys:
        yield fine(f"the secret {name}: {len(keys)} hosts")


def budgets(session: Any, name: str) -> Iterator[Finding]:
    """Look at the parameter of the budgets, where one is named: workers that cannot read it buy nothing."""
    if not name:
        return
    answer, refused = asked(session.client("ssm").get_parameter, Name=name)
    if refused == "ParameterNotFound":
        how = f"aws ssm put-parameter --name {name} --type String --value file://budgets.json"
        yield fault(f"the parameter {name} of the budgets is missing in {session.region_name}: {how}")
        return
    if refused:
        yield note(f"the parameter {name} could not be read ({refused}): nothing is known of the budgets")
        return
    try:
        plan = parse_plan(answer["Parameter"]["Value"])
    except InvalidBudgets as error:
        yield fault(f"the parameter {name} holds no budgets: {error}")
        return
    yield fine(
        f"the parameter {name}: budgets of {len(plan.tenants)} tenants, {'one' if plan.stage else 'none'} of all"
    )


def _read(session: Any, name: str, when_missing: Any, how: str) -> tuple[str, Finding | None]:
    answer, refused = asked(session.client("secretsmanager").get_secret_value, SecretId=name)
    where = session.region_name
    if refused == _MISSING:
        return "", when_missing(
            f"the secret {name} is missing in {where}: aws secretsmanager create-secret --name {name} {how}"
        )
    if refused == "InvalidRequestException":
        return "", fault(f"the secret {name} in {where} is being deleted: aws secretsmanager restore-secret")
    if refused:
        return "", note(f"the secret {name} could not be read ({refused}): nothing is known of its form")
    return str(answer.get("SecretString", "")), None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None  # the decoder's error would hold the text
