"""The order of starting: check the version, apply the chosen fixes, hand over to MiniStack."""

import os
import sys
from importlib import import_module

from tools.local.launcher.fixes import SELECTION_VARIABLE, UnknownFixError, apply_fixes, choose_fixes
from tools.local.launcher.owner import follow_owner
from tools.local.launcher.version import WrongVersionError, require_pinned_version


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
