"""Further servers of OpenAI's shape, as an operator writes them in JSON: each is a vendor, without a line of code.

    [{"name": "acme", "base_url": "https://tts.acme.example/v1", "voices": ["anna"],
      "models": [{"id": "acme-1", "limits": {"text_characters": 4000}, "prices": {"per_million_characters": 9}}]}]

A fault in one entry leaves that server out and harms no other. No message holds a value: an address may have a password
in it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, StringConstraints, TypeAdapter
from pydantic import ValidationError as _Invalid

from mediarelay.options.parsing import AllowedOption, ListedOptions
from mediarelay.providers.catalogue import Model
from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.error_table import Row
from mediarelay.providers.listing import (
    AddedServers,
    ListedVendor,
    base_url_variable,
    base_url_variables,
    providers,
    vendors,
)
from mediarelay.providers.openai.speech import OpenAiShapedSpeech
from mediarelay.providers.registry import listed
from mediarelay.providers.vendor import Vendor
from mediarelay.vocabulary.outcome import Outcome

SERVERS_VARIABLE: Final = "OPENAI_SERVERS"
MOST_SERVERS: Final = 16
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,30}")
# What speech in this shape is made of, and what would have it come in another one.
_NO_OPTIONS: Final = {
    **dict.fromkeys(("model", "input", "voice", "response_format"), "it is made of the request; leave it out"),
    **dict.fromkeys(("stream", "stream_format"), "the answer is read as audio; leave it out"),
}
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")

_Printable = Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]*[!-~])?$", max_length=128)]
_Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$")]
_Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
_Price = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
_Unit = Literal["per_million_characters", "per_million_text_tokens", "per_million_audio_tokens"]
_Meaning = Literal[
    "throttled",
    "quota_exhausted",
    "key_rejected",
    "permission_denied",
    "content_rejected",
    "invalid_request",
    "model_gone",
    "provider_fault",
    "overloaded",
]
_KeyVariable = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,60}_(KEY|KEYS|TOKEN|TOKENS)$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)


class ServedVoice(_Strict):
    """One voice, with what the voice book should know of it."""

    id: _Printable = Field(description="The server's name for it.")
    gender: Literal["female", "male"] | None = Field(
        default=None, description="What it sounds like; a voice without it stands in for no voice of the book."
    )
    languages: list[_Language] = Field(
        default_factory=list, max_length=64, description="Tags such as `en-US`; all of its model's when absent."
    )
    plays: list[_Printable] = Field(
        default_factory=list, max_length=64, description="Names of the voice book that it speaks for, such as `nova`."
    )


def _voice(written: object) -> object:
    return {"id": written} if isinstance(written, str) else written


_Voice = Annotated[ServedVoice, BeforeValidator(_voice, json_schema_input_type=_Printable | ServedVoice)]


class ServedModel(_Strict):
    """One model of such a server."""

    id: _Printable = Field(description="The server's name for it.")
    limits: dict[Literal["text_characters"], PositiveInt] = Field(
        default_factory=dict, description="The longest text in one call."
    )
    prices: dict[_Unit, _Price] = Field(min_length=1, description="US dollars by unit; 0 where it costs nothing.")
    typical_seconds: float = Field(
        default=2.0, gt=0, le=3600, allow_inf_nan=False, description="Usual latency, until a worker has seen its own."
    )
    default: bool = Field(default=False, description="Whether it is used when a request names none; else the first.")
    retires: date | None = Field(default=None, description="The day it stops answering, UTC.")
    replacement: _Printable | None = Field(default=None, description="What comes after it.")
    voices: list[_Voice] = Field(
        default_factory=list, max_length=256, description="Where it has others than the server; the first is usual."
    )
    options: list[AllowedOption] = Field(
        default_factory=list, max_length=64, description="Further fields of its own that requests may set."
    )
    most_usd: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] | None = Field(
        default=None,
        description="What one call costs at most, US dollars: options that are not listed count as this where a "
        "deployment lets them pass, and don't pass without it.",
    )


class SpeechServer(_Strict):
    """One server of OpenAI's shape, `POST {base_url}/audio/speech`, called with a bearer key."""

    name: Annotated[str, StringConstraints(pattern=f"^{_NAME.pattern}$")] = Field(
        description="Names its pool of keys; its provider is `<name>-tts`."
    )
    base_url: str = Field(max_length=512, description="An https address, without credentials and query.")
    keys: _KeyVariable | None = Field(
        default=None, description="The field of the secret that lists its keys; `<NAME>_API_KEYS` when absent."
    )
    models: list[ServedModel] = Field(min_length=1, max_length=32, description="At least one.")
    voices: list[_Voice] = Field(
        min_length=1,
        max_length=256,
        description="By name, or with what the voice book should know; the first is usual.",
    )
    formats: list[_Format] = Field(
        default=["mp3", "opus", "aac", "flac", "wav", "pcm"], min_length=1, description="Formats it makes."
    )
    speed: bool = Field(default=True, description="Whether it has a field for the pace.")
    instructions: bool = Field(default=False, description="Whether it takes instructions.")
    errors: dict[_Printable, _Meaning] = Field(
        default_factory=dict, max_length=64, description="What codes of its own mean, beside those of OpenAI."
    )


SERVERS: Final = TypeAdapter(list[SpeechServer])


def parse_servers(text: str, *, local: bool = False) -> AddedServers:
    """Returns the servers that the JSON describes, and what is wrong with the others. Never raises.

    Args:
        text: A list of servers; an empty text means none.
        local: Whether an address may be http on this machine itself.
    """
    if not text.strip():
        return AddedServers()
    entries = _entries(text)
    if entries is None:
        allowed = f"must be a JSON list of at most {MOST_SERVERS} servers"
        return AddedServers(faults={SERVERS_VARIABLE: f"{SERVERS_VARIABLE}: {allowed}"})
    added: list[Vendor] = []
    models: dict[str, Mapping[str, Model]] = {}
    voices: dict[str, Sequence[Mapping[str, Any]]] = {}
    faults: dict[str, str] = {}
    for number, entry in enumerate(entries):
        server = _server(entry, local=local, before=added)
        if isinstance(server, str):
            subject = _subject(entry, added)
            faults[subject] = "; ".join(filter(None, [faults.get(subject), f"{SERVERS_VARIABLE}[{number}]: {server}"]))
            continue
        added.append(_vendor(server))
        models[_provider_name(server.name)] = _models(server)
        voices[_provider_name(server.name)] = [*_voices(server)]
    code = {provider.name: provider for vendor in added for provider in vendor.providers}
    return AddedServers(tuple(map(listed, added)), code, models, voices, faults)


def _entries(text: str) -> list[Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and len(found) <= MOST_SERVERS else None


def _server(entry: object, *, local: bool, before: list[Vendor]) -> SpeechServer | str:
    """Returns what the entry describes, or all that is wrong with it."""
    try:
        server = SpeechServer.model_validate_json(json.dumps(entry))
    except _Invalid as error:
        return "; ".join(_reasons(error))
    return "; ".join(_slips(server, local=local, before=before)) or server


def _reasons(error: _Invalid) -> Iterator[str]:
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        where = ".".join(map(str, problem["loc"])) or "entry"
        match problem["type"]:
            case "extra_forbidden":
                yield f"{where} is not known"
            case "missing":
                yield f"{where} is missing"
            case "string_pattern_mismatch" if where == "name":
                yield "name: must be a lower-case letter and up to 30 lower-case letters, digits or hyphens"
            case "string_pattern_mismatch" if where == "keys":
                yield "keys: must be a name in capitals that ends in _KEYS, _KEY, _TOKENS or _TOKEN"
            case "string_pattern_mismatch":
                yield f"{where}: must be printable ASCII without spaces around it"
            case _:
                yield f"{where}: {problem['msg']}"


def _slips(server: SpeechServer, *, local: bool, before: list[Vendor]) -> Iterator[str]:
    """Yield what no single field can tell."""
    hosts = {*base_url_variables(), *(vendor.name for vendor in before)}
    if server.name in hosts | vendors().keys() or _provider_name(server.name) in providers():
        yield "name: is taken"
    if not _is_usable(server.base_url, local=local):
        yield "base_url: must be an https address of a host, without credentials, query and fragment"
    for number, model in enumerate(_model(server, each) for each in server.models):
        try:
            ListedOptions.model_validate(model.options, context=model.prices)
        except _Invalid as error:
            yield f"models.{number}.options: {error.errors(include_url=False)[0]['msg']}"
        if any(option.price == "counted" for option in server.models[number].options):
            yield f"models.{number}.options: counted: the price of speech in OpenAI's shape reads no option"
    # The function's own credentials are in its environment too; what is read here is sent to the server.
    if server.keys and server.keys.startswith("AWS_"):
        yield "keys: must not be AWS's"
    known: tuple[Vendor | ListedVendor, ...] = (*vendors().values(), *before)
    others = {name for vendor in known for name in vendor.credentials.variables}
    if others & set(_credentials(server).variables):
        yield "keys: is read for another vendor, whose keys must not be sent here"
    ids = [model.id for model in server.models]
    if len(ids) > len(set(ids)):
        yield "models: each id once"
    if sum(model.default for model in server.models) > 1:
        yield "models: one default at most"


def _is_usable(url: str, *, local: bool) -> bool:
    try:
        parts = urlsplit(url)
        named = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment or "?" in url or "#" in url)
    printable = url.isascii() and url.isprintable() and " " not in url
    return named and plain and printable and _reaches_a_host(parts, local=local)


def _reaches_a_host(parts: SplitResult, *, local: bool) -> bool:
    """Https, to a host that is not this machine nor the cloud's own data about it; locally this machine by http."""
    host = parts.hostname or ""
    if host in _LOOPBACK:
        return local and parts.scheme in ("http", "https")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return parts.scheme == "https" and bool(host)
    return parts.scheme == "https" and not (
        address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    )


def _subject(entry: object, before: list[Vendor]) -> str:
    """Returns what to call a faulty entry by: its name, unless that can't be read or is another's."""
    name = entry.get("name") if isinstance(entry, dict) else None
    taken = vendors().keys() | {vendor.name for vendor in before}
    readable = isinstance(name, str) and _NAME.fullmatch(name) is not None and name not in taken
    return str(name) if readable else SERVERS_VARIABLE


def _provider_name(name: str) -> str:
    return f"{name}-tts"


def _credentials(server: SpeechServer) -> ApiKeys:
    stem = base_url_variable(server.name).removesuffix("_BASE_URL")
    return ApiKeys(server.keys) if server.keys else ApiKeys(f"{stem}_API_KEYS", (f"{stem}_API_KEY",))


def _vendor(server: SpeechServer) -> Vendor:
    speech = OpenAiShapedSpeech(
        name=_provider_name(server.name),
        vendor=server.name,
        host=server.name,
        voices=_ids(server.voices),
        voices_of={model.id: _ids(model.voices) for model in server.models if model.voices},
        formats=tuple(server.formats),
        has_speed=server.speed,
        instructed_models="" if server.instructions else None,
        errors=tuple(Row(Outcome(meaning), codes=(code,)) for code, meaning in server.errors.items()),
    )
    return Vendor(
        name=server.name,
        credentials=_credentials(server),
        base_url=server.base_url.rstrip("/"),
        providers=(speech,),
    )


def _ids(voices: Iterable[ServedVoice]) -> tuple[str, ...]:
    return tuple(voice.id for voice in voices)


def _voices(server: SpeechServer) -> Iterator[Mapping[str, Any]]:
    """Yield the voices for the voice book: a model's own, then those of the models that have none."""
    shared = tuple(model.id for model in server.models if not model.voices)
    groups = [*(((model.id,), model.voices) for model in server.models), (shared, server.voices)]
    for owners, voices in groups:
        for number, voice in enumerate(voices if owners else ()):
            yield {
                "id": voice.id,
                "gender": voice.gender,
                "languages": tuple(voice.languages) or ("*",),
                "models": owners,
                "default": number == 0,
                "plays": tuple(voice.plays),
            }


def _models(server: SpeechServer) -> Mapping[str, Model]:
    return {model.id: _model(server, model) for model in server.models}


def _model(server: SpeechServer, model: ServedModel) -> Model:
    usual = next((each for each in server.models if each.default), server.models[0])
    return Model(
        id=model.id,
        provider=_provider_name(server.name),
        retires=model.retires,
        replacement=model.replacement,
        typical_seconds=model.typical_seconds,
        source=f"an operator, in {SERVERS_VARIABLE}",
        checked=None,
        limits={str(name): most for name, most in model.limits.items()},
        prices={str(unit): usd for unit, usd in model.prices.items()},
        default=model is usual,
        most_usd=model.most_usd,
        options={
            "source": f"an operator, in {SERVERS_VARIABLE}",
            "allowed": [option.model_dump() for option in model.options],
            "refused": _NO_OPTIONS,
        },
    )
