"""How a fix holds on to upstream code: it names what it expects, and fails loudly when that has changed."""

import inspect
from collections.abc import Callable
from typing import Any


class UpstreamChangedError(Exception):
    """MiniStack no longer has what a fix hooks into; the fix must be looked at again."""


def expect_function(module: Any, name: str, *parameters: str) -> Callable[..., Any]:
    """Return the function `name` of a module or class, having checked its parameter names."""
    function: Callable[..., Any] | None = getattr(module, name, None)
    where = f"{getattr(module, '__name__', module)}.{name}"
    if function is None:
        raise UpstreamChangedError(f"{where} is gone")
    found = tuple(inspect.signature(function).parameters)
    if found != parameters:
        raise UpstreamChangedError(f"{where} takes {found}, expected {parameters}")
    return function


def expect_attributes(module: Any, *names: str) -> None:
    """Check that a module still has the data and functions a fix reads."""
    missing = [name for name in names if not hasattr(module, name)]
    if missing:
        raise UpstreamChangedError(f"{module.__name__} has lost {', '.join(missing)}")


def replace_once(text: str, old: str, new: str) -> str:
    """Replace a piece of source text that must occur exactly once."""
    found = text.count(old)
    if found != 1:
        raise UpstreamChangedError(f"expected once, found {found} times: {old.strip()[:80]!r}")
    return text.replace(old, new)


def replace_handler(module: Any, resource: str, operation: str, old: Any, new: Any) -> None:
    """Replace what makes a kind of resource; tables of handlers hold the functions themselves."""
    for table in vars(module).values():
        handlers = table.get(resource) if isinstance(table, dict) else None
        if isinstance(handlers, dict) and handlers.get(operation) is old:
            handlers[operation] = new
