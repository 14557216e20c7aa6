"""Each error of the simulator has a shape that the vendor was seen to send, or that a page of the vendor documents."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.builders.captures import RECORDED
from tools.simulator import vendors
from tools.simulator.wire import Reply, Trouble

MODULES = {
    module.name: importlib.import_module(f"tools.simulator.vendors.{module.name}")
    for module in pkgutil.iter_modules(vendors.__path__)
}
ERRORS = [(vendor, name) for vendor, module in MODULES.items() for name in module.SIMULATED.errors]
# It sends OpenAI's errors, and says so on its page of the OpenAI-shaped route.
RECORDED_AS = {"assemblyai": "openai"}
DOCUMENTED = re.compile(r"vendor document: .+, 20\d\d-\d\d(-\d\d)?")


def fields(value: Any, place: str = "") -> set[str]:
    """The places of all that is in a JSON value; that of a text is its own."""
    if isinstance(value, dict):
        return {place}.union(*(fields(part, f"{place}.{name}") for name, part in value.items()))
    if isinstance(value, list):
        return {place}.union(*(fields(part, f"{place}[]") for part in value))
    return {place}


def seen(vendor: str) -> Iterator[set[str]]:
    for capture in RECORDED:
        if capture.provider.partition("-")[0] == RECORDED_AS.get(vendor, vendor):
            yield fields(capture.body)


def is_recorded(vendor: str, reply: Reply) -> bool:
    sent = fields(json.loads(reply.body))
    return any(sent <= each for each in seen(vendor))


def documents(vendor: str) -> dict[str, str]:
    return getattr(MODULES[vendor], "VENDOR_DOCUMENTS", {})


@pytest.mark.parametrize(("vendor", "name"), ERRORS, ids=str)
def test_an_error_has_a_shape_that_was_seen_or_is_documented(vendor: str, name: str) -> None:
    reply = MODULES[vendor].SIMULATED.errors[name](Trouble())
    assert is_recorded(vendor, reply) or DOCUMENTED.fullmatch(documents(vendor).get(name, ""))


@pytest.mark.parametrize("vendor", MODULES)
def test_a_document_stands_for_an_error_that_was_not_seen(vendor: str) -> None:
    errors = MODULES[vendor].SIMULATED.errors
    assert [name for name in documents(vendor) if is_recorded(vendor, errors[name](Trouble()))] == []


def test_a_shape_of_nobody_is_found() -> None:
    assert not is_recorded("openai", Reply(400, b'{"error": {"message": "no", "reason": "made up"}}'))
