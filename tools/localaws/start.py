"""The order of starting: check the version, apply the chosen fixes, hand over to MiniStack.

The fixes reach into MiniStack's internals, so they are tied to the one version they were verified against.
"""

import os
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path

from tools.localaws.fixes import SELECTION_VARIABLE, UnknownFixError, apply_fixes, choose_fixes
from tools.localaws.owner import follow_owner

PROJECT = Path(__file__).with_name("pyproject.toml")


class WrongVersionError(Exception):
    """Another MiniStack than the pinned one is installed, or none."""


def pinned_version() -> str:
    """Returns the version of MiniStack that this project requires."""
    requirements: list[str] = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["dependencies"]
    (version,) = [one.removeprefix("ministack==") for one in requirements if one.startswith("ministack==")]
    return version


def require_pinned_version() -> None:
    """Raise WrongVersionError unless the installed MiniStack is exactly the pinned one."""
    pinned = pinned_version()
    try:
        found = metadata.version("ministack")
    except metadata.PackageNotFoundError as error:
        raise WrongVersionError("ministack is not installed in this Python; run `make install`") from error
    if found != pinned:
        raise WrongVersionError(
            f"the fixes were verified against ministack {pinned}, this is {found}. "
            "Run `make install`; to upgrade, change the pin; `make test-localaws` then tells which fixes still hold."
        )


def main() -> None:
    """Run MiniStack in the foreground until it is told to stop.

    Exits with a message when MiniStack is not the pinned version or a fix is not known.
    """
    try:
        require_pinned_version()
        chosen = choose_fixes(os.environ.get(SELECTION_VARIABLE, "all"))
    except (WrongVersionError, UnknownFixError) as error:
        sys.exit(f"mediarelay launcher: {error}")
    follow_owner()
    apply_fixes(chosen)
    print(f"mediarelay launcher: fixes applied: {', '.join(chosen) or 'none'}", flush=True)
    import_module("ministack.app").main()
