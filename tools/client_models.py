"""What the client has of the product, its models and its checks: `python -m tools.client_models write|check`.

Models of what is received, and the keywords of what is asked for, are written from docs/schemas. What checks a request
before it is sent is a copy of the product's own modules, so that client and queue say the same of a mistake.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tools.schemas import FOLDER, SUFFIX

ROOT: Final = Path(__file__).resolve().parents[1]
PACKAGE: Final = ROOT / "client" / "mediarelay_client"
SHARED: Final = ROOT / "shared" / "mediarelay"
MEND: Final = "run `python -m tools.client_models write` (or `make fmt`) and commit client"
COPIES: Final = {
    "request/model.py": "request/model.py",
    "request/parsing.py": "request/parsing.py",
    "request/bounds.py": "request/bounds.py",
    "vocabulary/kinds.py": "request/kinds.py",
}
RENAMED: Final = (
    ("from mediarelay.vocabulary.errors import RequestRejected", "from mediarelay_client.errors import InvalidRequest"),
    ("RequestRejected", "InvalidRequest"),
    ("from mediarelay.vocabulary.frozen import frozen", "from dataclasses import dataclass"),
    ("@frozen", "@dataclass(frozen=True)"),
    ("mediarelay.vocabulary.kinds", "mediarelay_client.request.kinds"),
    ("mediarelay.request", "mediarelay_client.request"),
)
RECEIVED: Final = {"result-event": "ResultEvent", "job-record": "JobRecord"}
# The commands and methods that ask for a kind, and what each takes first.
ASKED: Final = {
    "SayOptions": ("TtsInput", "TtsRequest", "text"),
    "DrawOptions": ("ImageInput", "ImageRequest", "prompt"),
    "FilmOptions": ("VideoInput", "VideoRequest", "prompt"),
    "ComposeOptions": ("AudioInput", "AudioRequest", "prompt"),
}
PLAIN: Final = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
WIDTH: Final = 108
KEYWORDS_HEAD: Final = '''"""The keywords of what is asked for. Written by tools.client_models from docs/schemas."""

from __future__ import annotations

from typing import Literal, TypedDict

from pydantic import JsonValue
'''
HEAD: Final = '''"""What is received. Written by tools.client_models from docs/schemas."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class Received(BaseModel):
    """What a stack tells: fields of a newer stack are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)
'''


def documents() -> Mapping[Path, str]:
    """The text of every file that this writes."""
    made = {PACKAGE / "models.py": _models(), PACKAGE / "request" / "keywords.py": _keywords()}
    written = {path: formatted(path, text) for path, text in made.items()}
    for source, copy in COPIES.items():
        text = (SHARED / source).read_text(encoding="utf-8")
        for before, after in RENAMED:
            text = text.replace(before, after)
        head, quote, rest = text.partition('"""\n\nfrom __future__')
        note = f"\n\nA copy of shared/mediarelay/{source}, made by tools.client_models.\n"
        written[PACKAGE / copy] = formatted(PACKAGE / copy, f"{head.rstrip()}{note}{quote}{rest}")
    return written


def formatted(path: Path, text: str) -> str:
    """Returns the text as ruff has it."""
    for command in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        done = subprocess.run(  # noqa: S603 # ruff, of this environment
            [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(path), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        )
        text = done.stdout
    return text


def _models() -> str:
    classes: dict[str, Mapping[str, Any]] = {}
    for name, title in RECEIVED.items():
        schema = _schema(name)
        classes |= schema["$defs"] | {title: schema}
    names = {name for name, schema in classes.items() if "properties" in schema}
    return "\n\n".join([HEAD, *(_class(name, classes[name], names) for name in _by_need(classes, names))]) + "\n"


def _keywords() -> str:
    asked = _schema("media-request")["$defs"]
    requests = [asked[request]["properties"] for _, request, _ in ASKED.values()]
    common = {name: of for name, of in requests[0].items() if all(of == other.get(name) for other in requests)}
    classes = [_options("RequestOptions(TypedDict, total=False)", "What may be said of every request.", common, asked)]
    for name, (input_, request, first) in ASKED.items():
        fields = {**asked[input_]["properties"], **asked[request]["properties"]}
        own = {name: of for name, of in fields.items() if name not in {first, "kind", "input", *common}}
        said = f"What may be said besides the {first}: {asked[request]['description'].rstrip('.').lower()}."
        classes.append(_options(f"{name}(RequestOptions, total=False)", said, own, asked))
    return "\n\n".join([KEYWORDS_HEAD, *classes]) + "\n"


def _schema(name: str) -> Any:
    return json.loads((FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8"))


def _by_need(classes: Mapping[str, Mapping[str, Any]], names: set[str]) -> list[str]:
    """Return the classes, each after those that it is made of."""
    ordered: list[str] = []

    def add(name: str) -> None:
        for needed in re.findall(r"#/\$defs/(\w+)", json.dumps(classes[name]["properties"])):
            if needed in names and needed not in ordered:
                add(needed)
        if name not in ordered:
            ordered.append(name)

    for name in sorted(names):
        add(name)
    return ordered


def _class(name: str, schema: Mapping[str, Any], names: set[str]) -> str:
    lines = [f"class {name}(Received):", _docstring(schema["description"])]
    required = set(schema.get("required", ()))
    for field, of in schema["properties"].items():
        lines.append(f"    {field}: {_type(of, names)}{_default(of, required=field in required)}")
        lines.append(_docstring(of["description"]))
    return "\n".join(lines)


def _default(schema: Mapping[str, Any], *, required: bool) -> str:
    if "default" in schema and schema["default"] not in ([], {}):
        return f" = {schema['default']!r}"
    if schema.get("default") in ([], {}) or not required:
        made = {"array": "list", "object": "dict"}.get(schema.get("type", ""))
        return f" = Field(default_factory={made})" if made else " = None"
    return ""


def _type(schema: Mapping[str, Any], names: set[str]) -> str:  # noqa: PLR0911 # one for each form
    """Return an annotation; a name that is no class is one of words, which a newer stack may have more of."""
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name:
        return name if name in names or name == "JsonValue" else "str"
    match schema:
        case {"anyOf": [*some]}:
            return " | ".join(dict.fromkeys(_type(one, names) for one in some))
        case {"type": "array", "prefixItems": [*several]}:
            return f"tuple[{', '.join(_type(one, names) for one in several)}]"
        case {"type": "array", "items": items}:
            return f"list[{_type(items, names)}]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"dict[str, {_type(values, names)}]"
        case {"const": value}:
            return type(value).__name__
        case {"type": str(plain)} if plain in PLAIN:
            return PLAIN[plain]
        case _:
            raise ValueError(f"no annotation is known of {schema}")


def _options(head: str, said: str, fields: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    lines = [f"class {head}:", _docstring(said)]
    for field, of in fields.items():
        lines += [f"    {field}: {_exactly(of, asked)}", _docstring(of["description"])]
    return "\n".join(lines)


def _exactly(schema: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """Return an annotation of what is sent, with the words that are allowed."""
    if "$ref" in schema:
        schema = asked[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_exactly(one, asked) for one in schema["anyOf"]))
    for values in (*schema.get("patternProperties", {}).values(), schema.get("additionalProperties")):
        if isinstance(values, dict):
            return f"dict[str, {_exactly(values, asked)}]"
    return "JsonValue" if not schema else _type(schema, set())


def _docstring(text: str) -> str:
    """Return it as a docstring within the width, indented."""
    wrapped = textwrap.wrap(text.replace("\\", "\\\\"), WIDTH)
    if len(wrapped) == 1:
        return f'    """{wrapped[0]}"""'
    return "\n".join([f'    """{wrapped[0]}', *(f"    {line}" for line in wrapped[1:]), '    """'])


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 well, 1 stale, 2 wrong usage."""
    if list(arguments) not in (["write"], ["check"]):
        print("usage: python -m tools.client_models write|check", file=sys.stderr)
        return 2
    wanted = documents()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if list(arguments) == ["write"]:
        for path in stale:
            path.write_text(wanted[path], encoding="utf-8")
        return 0
    for path in stale:
        print(f"{path.relative_to(ROOT)} differs from the contracts; {MEND}", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
