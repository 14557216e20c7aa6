"""Event filter patterns as AWS matches them, for event source mappings. Pure: no MiniStack in it.

A pattern is a tree whose leaves are lists: a field matches when one of its values satisfies one entry of its list.
"""

import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("mediarelay.launcher")

ABSENT: Any = object()

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
}


def matches(record: Any, pattern: dict[str, Any]) -> bool:
    """Whether a record satisfies every field of a pattern, and one branch of its `$or` when it has one."""
    if not isinstance(record, dict):
        return matches({}, pattern)
    branches = pattern.get("$or")
    if isinstance(branches, list) and not any(matches(record, branch) for branch in branches):
        return False
    return all(_field_matches(record.get(key, ABSENT), rule) for key, rule in pattern.items() if key != "$or")


def _field_matches(value: Any, rule: Any) -> bool:
    if isinstance(rule, dict):
        return matches(value, rule)
    if isinstance(value, list):
        return any(_field_matches(item, rule) for item in value)
    return any(_entry_matches(value, entry) for entry in rule)


def _entry_matches(value: Any, entry: Any) -> bool:
    if isinstance(entry, dict):
        return all(_operator_matches(value, name, operand) for name, operand in entry.items())
    return _equal(value, entry)


def _equal(value: Any, wanted: Any) -> bool:
    # True == 1 in Python but not in JSON.
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _operator_matches(value: Any, name: str, operand: Any) -> bool:
    if name == "exists":
        # Only leaves exist: an object is a path to leaves, not one itself.
        return (value is not ABSENT and not isinstance(value, dict)) == bool(operand)
    operator = OPERATORS.get(name)
    if operator is None:
        # AWS refuses such a pattern when the mapping is made; here delivering too much beats deleting messages.
        logger.error("filter operator %r is not one AWS knows: it matches everything", name)
        return True
    return operator(value, operand)


def _prefix(value: Any, operand: Any) -> bool:
    return _edge(value, operand, str.startswith)


def _suffix(value: Any, operand: Any) -> bool:
    return _edge(value, operand, str.endswith)


def _edge(value: Any, operand: Any, test: Callable[[str, str], bool]) -> bool:
    if not isinstance(value, str):
        return False
    if isinstance(operand, dict):
        return test(value.lower(), str(operand["equals-ignore-case"]).lower())
    return test(value, operand)


def _equals_ignore_case(value: Any, operand: str) -> bool:
    return isinstance(value, str) and value.lower() == operand.lower()


def _anything_but(value: Any, operand: Any) -> bool:
    if value is ABSENT or isinstance(value, dict):
        return False
    if isinstance(operand, dict):
        return not any(_any_operand(value, name, banned) for name, banned in operand.items())
    banned = operand if isinstance(operand, list) else [operand]
    return not any(_equal(value, item) for item in banned)


def _any_operand(value: Any, name: str, operands: Any) -> bool:
    listed = operands if isinstance(operands, list) else [operands]
    return any(_operator_matches(value, name, operand) for operand in listed)


def _numeric(value: Any, operand: list[Any]) -> bool:
    # DynamoDB's "N" is a string in a stream record, and no number to AWS's matcher.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(COMPARISONS[comparison](value, bound) for comparison, bound in pairs)


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "anything-but": _anything_but,
    "equals-ignore-case": _equals_ignore_case,
    "numeric": _numeric,
    "prefix": _prefix,
    "suffix": _suffix,
}
