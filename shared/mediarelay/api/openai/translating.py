"""From the fields of an OpenAI SDK to a media request, and the names of models. What can't be kept is refused."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from mediarelay.api.openai.answers import MODEL, SECONDS, SIZE, NotServed, unsupported
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import Kind, Strategy

# Only for annotations: who is not let in needs no catalogue.
if TYPE_CHECKING:
    from mediarelay.providers.catalogue import Model

Fields = Mapping[str, Any]
AUTO: Final = "auto"
# Our own fields ride along in `extra_body`.
EXTRAS: Final = "mediarelay"
OPENAI_PICTURES: Final = "openai-image"
USER: Final = "openai_user"
# A job that nobody can come back to any more buys nothing: as long as a retry finds it again.
DEADLINE_SECONDS: Final = 900
DEFAULT_SECONDS: Final = 4
LONGEST_SECONDS: Final = 15
VIDEO_SIZES: Final = ("720x1280", "1280x720", "1024x1792", "1792x1024")
PRO_PIXELS: Final = 1792
NEAR: Final = 5


@frozen
class Offered:
    """One provider, with what it sells by id; `default` is used when no model is named."""

    kind: Kind
    vendor: str
    default: Model | None
    models: Mapping[str, Model]


@frozen
class Menu:
    """What may be asked for by name.

    Attributes:
        offered: By provider, those that may be used, in order.
        aliases: Names of other models that stand for something here.
    """

    offered: Mapping[str, Offered]
    aliases: Mapping[str, str]

    def names(self, kind: Kind | None = None) -> list[str]:
        """Return every name that may be asked for."""
        found = {name: each for name, each in self.offered.items() if kind in (None, each.kind)}
        models = [f"{name}/{id_}" for name, each in found.items() for id_ in each.models]
        return [AUTO, *self.aliases, *found, *models]


@frozen
class Chosen:
    """Who may be asked, and for which model; None for everyone."""

    providers: Sequence[str] | None
    model: Mapping[str, str]


def chosen(name: str | None, kind: Kind, menu: Menu) -> Chosen:
    """Return what a model's name stands for. An alias counts before what it names. Raises `NotServed`."""
    wanted = menu.aliases.get(name or AUTO, name or AUTO)
    if wanted == AUTO:
        return Chosen(None, {})
    of_kind = {each: offered for each, offered in menu.offered.items() if offered.kind is kind}
    if wanted in of_kind:
        return Chosen([wanted], {})
    provider, slash, model = wanted.partition("/")
    if slash and provider in of_kind and model in of_kind[provider].models:
        return Chosen([provider], {provider: model})
    sellers = [each for each, offered in of_kind.items() if wanted in offered.models]
    if sellers:
        return Chosen(sellers, dict.fromkeys(sellers, wanted))
    raise no_model(wanted, menu, kind)


def no_model(name: str, menu: Menu, kind: Kind | None = None) -> NotServed:
    """Return the refusal of a model that nobody sells, with those that are called nearly so."""
    known = menu.names(kind)
    near = difflib.get_close_matches(name, known, NEAR, 0.3) or known[:NEAR]
    message = f"there is no model {name[:100]!r} here; there are: {', '.join(near)}"
    return NotServed(404, "model_not_found", message, param="model")


def listed(menu: Menu) -> list[dict[str, Any]]:
    """Return every model as the SDKs list them."""
    vendors = {name: each.vendor for name, each in menu.offered.items()}
    owners = {name: vendors.get(name.partition("/")[0], "mediarelay") for name in menu.names()}
    return [{"id": name, "object": "model", "created": 0, "owned_by": owner} for name, owner in owners.items()]


# --- the routes ---------------------------------------------------------------------------------------------------

_COMMON: Final = frozenset({"model", "user", "safety_identifier", EXTRAS})
_SPEECH: Final = frozenset({"input", "voice", "response_format", "speed", "instructions", "stream_format"}) | _COMMON
_OWN_OPTIONS: Final = ("background", "output_compression", "moderation")
_IMAGES: Final = (
    frozenset({"prompt", "size", "n", "quality", "output_format", "response_format", "stream", *_OWN_OPTIONS}) | _COMMON
)
_VIDEOS: Final = frozenset({"prompt", "seconds", "size", "input_reference"}) | _COMMON
_QUALITIES: Final = {"hd": "high", "standard": "medium"}


def speech(fields: Fields, menu: Menu) -> dict[str, Any]:
    """Return the request for `audio.speech.create`. Raises `NotServed`."""
    given = _known(fields, _SPEECH)
    if given.get("stream_format", "audio") != "audio":
        raise unsupported("stream_format", "only audio: the file is not streamed as events")
    voice = given.get("voice")
    if isinstance(voice, Mapping):
        voice = voice.get("id")
    asked = {"text": given.get("input", ""), "voice": voice, "format": given.get("response_format")}
    asked |= {name: given.get(name) for name in ("speed", "instructions")}
    return _request(Kind.TTS, given, asked, menu)


def images(fields: Fields, menu: Menu) -> dict[str, Any]:
    """Return the request for `images.generate`. Raises `NotServed`."""
    given = _known(fields, _IMAGES)
    if given.get("stream"):
        raise unsupported("stream", "pictures are not streamed; leave it out")
    if given.get("response_format", "b64_json") not in ("b64_json", "url"):
        raise NotServed(400, "invalid_request", "response_format: b64_json or url", param="response_format")
    if given.get("output_format") in ("gif", "svg"):
        raise unsupported("output_format", "png, jpeg or webp")
    quality = given.get("quality")
    asked = {
        **{name: given.get(name) for name in ("prompt", "size", "n")},
        "quality": _QUALITIES.get(str(quality), quality),
        "format": given.get("output_format"),
    }
    wanted = _request(Kind.IMAGE, given, asked, menu)
    options = {name: given[name] for name in _OWN_OPTIONS if name in given}
    if options:
        providers = wanted.get("providers", [OPENAI_PICTURES])
        if OPENAI_PICTURES not in providers:
            raise unsupported(next(iter(options)), f"only {OPENAI_PICTURES} has it, and another model is asked for")
        others = wanted.get("options", {})
        own = others.get(OPENAI_PICTURES)
        merged = {**own, **options} if isinstance(own, Mapping) else options
        wanted |= {"providers": [OPENAI_PICTURES], "options": {**others, OPENAI_PICTURES: merged}}
    return wanted


def videos(fields: Fields, menu: Menu) -> dict[str, Any]:
    """Return the request for `videos.create`: as long as was asked, or the next length that somebody makes.

    Raises `NotServed`.
    """
    given = _known(fields, _VIDEOS)
    size = given.get("size", VIDEO_SIZES[0])
    if size not in VIDEO_SIZES:
        raise NotServed(400, "invalid_request", f"size: one of {', '.join(VIDEO_SIZES)}", param="size")
    width, height = (int(side) for side in size.split("x"))
    asked = {
        "prompt": given.get("prompt"),
        "aspect_ratio": "16:9" if width > height else "9:16",
        "mode": "pro" if max(width, height) >= PRO_PIXELS else None,
        "image_url": _picture(given.get("input_reference")),
    }
    wanted = _request(Kind.VIDEO, given, asked, menu)
    seconds = _made(_seconds(given.get("seconds", DEFAULT_SECONDS)), wanted, menu)
    wanted["input"]["duration"] = seconds
    kept = {SECONDS: str(seconds), SIZE: size, MODEL: str(given.get("model", AUTO))[:100]}
    return {**wanted, "metadata": {**wanted.get("metadata", {}), **kept}}


def _request(kind: Kind, given: Fields, asked: Mapping[str, Any], menu: Menu) -> dict[str, Any]:
    model = given.get("model")
    if model is not None and not isinstance(model, str):
        raise NotServed(400, "invalid_request", "model: the name of a model", param="model")
    who, extras = chosen(model, kind, menu), _extras(given.get(EXTRAS))
    wanted: dict[str, Any] = {
        "kind": kind.value,
        "input": {name: value for name, value in asked.items() if value is not None},
    }
    if kind is not Kind.VIDEO:
        wanted["timeout_seconds"] = DEADLINE_SECONDS
    wanted |= extras
    if who.providers is not None:
        named = extras.get("providers")
        wanted["providers"] = [each for each in who.providers if named is None or each in named]
        if not wanted["providers"]:
            message = f"{EXTRAS}.providers: none of them sells model {str(model)[:100]}"
            raise NotServed(400, "invalid_request", message, param=f"{EXTRAS}.providers")
    if who.model:
        wanted["model"] = {name: id_ for name, id_ in who.model.items() if name in wanted["providers"]}
    user = given.get("safety_identifier", given.get("user"))
    if user is not None:
        wanted["metadata"] = {**wanted.get("metadata", {}), USER: user}
    return wanted


def _known(fields: Fields, allowed: Iterable[str]) -> dict[str, Any]:
    """Return what is given; null is what an SDK sends for nothing."""
    given = {name: value for name, value in fields.items() if value is not None}
    for name in given:
        if name not in allowed:
            raise unsupported(str(name)[:100])
    return given


# What rides along: how a form's text is read, since a form has nothing else, and what it must be then.
_EXTRAS: Final[Mapping[str, tuple[Callable[[str], Any], type | tuple[type, ...]]]] = {
    **dict.fromkeys(("tenant", "strategy", "on_budget"), (str, str)),
    **dict.fromkeys(("metadata", "options"), (json.loads, dict)),
    "providers": (json.loads, list),
    **dict.fromkeys(("timeout_seconds", "cache_seconds"), (int, int)),
    "max_cost_usd": (float, (int, float)),
}


def _extras(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise NotServed(400, "invalid_request", f"{EXTRAS}: an object", param=EXTRAS)
    found = {name: _extra(name, value) for name, value in given.items() if value is not None}
    if found.get("strategy") == Strategy.ALL:
        raise unsupported(f"{EXTRAS}.strategy", "all makes several results, and an answer here has one")
    return found


def _extra(name: str, given: Any) -> Any:
    field = f"{EXTRAS}.{name[:40]}"
    if name not in _EXTRAS:
        raise unsupported(field, f"one of {', '.join(_EXTRAS)}")
    read, kind = _EXTRAS[name]
    try:
        value = read(given) if isinstance(given, str) else given
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, kind):
        raise NotServed(400, "invalid_request", f"{field}: not what it must be", param=field)
    return value


def _picture(reference: Any) -> str | None:
    if reference is None:
        return None
    url = reference.get("image_url") if isinstance(reference, Mapping) else None
    if not isinstance(url, str) or not url.startswith("https://"):
        raise unsupported("input_reference", 'only {"image_url": "https://…"}; files are not taken')
    return url


def _seconds(given: Any) -> int:
    try:
        seconds = int(str(given))
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise NotServed(400, "invalid_request", f"seconds: 1 to {LONGEST_SECONDS}", param="seconds")
    return seconds


def _made(seconds: int, wanted: Mapping[str, Any], menu: Menu) -> int:
    """Return the shortest clip that somebody makes who may be asked, and that is as long as was asked for."""
    lengths = []
    for name, offered in menu.offered.items():
        if offered.kind is not Kind.VIDEO or name not in wanted.get("providers", [name]):
            continue
        model = offered.models.get(wanted.get("model", {}).get(name, "")) or offered.default
        length = _length(seconds, model.limits) if model else None
        lengths += [length] if length is not None else []
    if not lengths:
        raise NotServed(400, "invalid_request", f"seconds: nobody makes a clip of {seconds}", param="seconds")
    return min(lengths)


def _length(seconds: int, limits: Mapping[str, int]) -> int | None:
    step = limits.get("step_ms", 1000) / 1000
    length = max(math.ceil(seconds / step) * step, limits.get("shortest_ms", 0) / 1000)
    longest = limits.get("longest_ms")
    return None if length * 1000 > (longest or length * 1000) else math.ceil(length)
