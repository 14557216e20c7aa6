from __future__ import annotations

from typing import Any

import pytest

from tools.bench.costs.item_size import item_bytes, write_units


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"name": {"S": "é"}}, 4 + 2),
        ({"n": {"N": "1785585600000"}}, 1 + 4 + 1),
        ({"n": {"N": "-0.25"}}, 1 + 1 + 1 + 1),
        ({"b": {"B": b"sketch"}}, 1 + 6),
        ({"b": {"BOOL": True}}, 2),
        ({"l": {"L": [{"S": "ab"}]}}, 1 + 3 + 1 + 2),
        ({"m": {"M": {"k": {"S": "ab"}}}}, 1 + 3 + 1 + 1 + 2),
    ],
)
def test_an_item_is_its_names_and_values(item: dict[str, Any], size: int) -> None:
    assert item_bytes(item) == size


def test_a_write_unit_is_a_kilobyte_begun() -> None:
    assert [write_units({"a": {"S": "x" * length}}) for length in (1, 1023, 1024, 2048)] == [1, 1, 2, 3]
