"""The fixes reach into MiniStack's internals, so they are tied to the one version they were verified against."""

from importlib import metadata

PINNED = "1.5.33"


class WrongVersionError(Exception):
    """Another MiniStack than the pinned one is installed, or none."""


def require_pinned_version() -> None:
    """Raise WrongVersionError unless the installed MiniStack is exactly the pinned one."""
    try:
        found = metadata.version("ministack")
    except metadata.PackageNotFoundError as error:
        raise WrongVersionError("ministack is not installed in this Python; run `make install`") from error
    if found != PINNED:
        raise WrongVersionError(
            f"the fixes were verified against ministack {PINNED}, this is {found}. "
            "Run `make install`; to upgrade, change the pin and run tests/local: it tells which fixes still hold."
        )
