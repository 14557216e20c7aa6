"""Descriptions of a schema's nested fields, taken from the docstrings of the core's dataclasses they come from."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", re.MULTILINE)


def described(schema: Mapping[str, Any], classes: Sequence[type]) -> Mapping[str, Any]:
    """The schema with every field of these classes described; a class the schema does not use is ignored."""
    definitions = {**schema.get("$defs", {})}
    for cls in classes:
        if cls.__name__ in definitions:
            definitions[cls.__name__] = _with_descriptions(definitions[cls.__name__], attributes(cls))
    return {**schema, "$defs": definitions}


def attributes(cls: type) -> Mapping[str, str]:
    """The `Attributes:` section of a docstring, by name."""
    _, _, section = (inspect.getdoc(cls) or "").partition("Attributes:\n")
    return {name: " ".join(text.split()) for name, text in _ATTRIBUTE.findall(section)}


def _with_descriptions(definition: Mapping[str, Any], texts: Mapping[str, str]) -> Mapping[str, Any]:
    fields = {
        name: {**field, "description": texts[name]} if name in texts else field
        for name, field in definition["properties"].items()
    }
    description = str(definition.get("description", "")).partition("\n\nAttributes:")[0]
    return {**definition, "description": description, "properties": fields}
