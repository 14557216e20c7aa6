"""The console's page, of the modules in console/src: `python -m tools.console write|check`.

They are ES modules, for editors and readers; the page holds one script, so that its policy names one hash and a browser
asks once. They are joined in the order in which they need each other, and nothing is rewritten but imports and exports.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

from tools.generated import kept_up

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "shared" / "mediarelay" / "api" / "console.html"
SOURCES: Final = ROOT / "console" / "src"
VENDOR: Final = ROOT / "console" / "vendor"
BUNDLE: Final = "preact-htm.js"

_IMPORT: Final = re.compile(r'^import \{ ([^}]+) \} from "\./([a-z_]+)\.js";$')
_EXPORT: Final = re.compile(r"^export (?=const |let |function |async function |class )")
_DECLARED: Final = re.compile(r"^(?:const|let|(?:async )?function|class) (?:\{ ([^}]+) \}|([\w$]+))")
# What would end the element that the script stands in.
_ENDS: Final = re.compile(r"</(script|style)|<!--", re.IGNORECASE)


class WrongModule(ValueError):
    """A module that cannot be joined with the others."""


def page() -> str:
    """Returns the page.

    Raises:
        WrongModule: A name is declared twice, or imported from where it is not; or the bundle is another one.
    """
    bundle = (VENDOR / BUNDLE).read_text(encoding="utf-8")
    if hashlib.sha256(bundle.encode()).hexdigest() not in (VENDOR / "README.md").read_text(encoding="utf-8"):
        raise WrongModule(f"{BUNDLE} is not the one that console/vendor/README.md names")
    modules = {path.stem: path.read_text(encoding="utf-8") for path in sorted(SOURCES.glob("*.js"))}
    style = (SOURCES / "console.css").read_text(encoding="utf-8").strip()
    parts = {"style": style, "vendor": bundle.strip(), "script": f"(() => {{\n{joined(modules)}}})();"}
    for name, text in parts.items():
        if _ENDS.search(text):
            raise WrongModule(f"the {name} ends its own element")
    return re.sub(
        r"\{(style|vendor|script)\}", lambda found: parts[found[1]], (SOURCES / "page.html").read_text("utf-8")
    )


def joined(modules: Mapping[str, str]) -> str:
    """Returns the modules as one script, each behind those that it needs."""
    imports = {name: dict(_imports(text)) for name, text in modules.items()}
    exports = {name: set(_names(text, exported=True)) for name, text in modules.items()}
    owner: dict[str, str] = {}
    for name, text in modules.items():
        for declared in _names(text, exported=False):
            if declared in owner:
                raise WrongModule(f"{declared} is declared by {owner[declared]}.js and by {name}.js")
            owner[declared] = name
        for source, wanted in imports[name].items():
            if missing := wanted - exports.get(source, set()):
                raise WrongModule(f"{name}.js imports {', '.join(sorted(missing))}, which {source}.js does not export")
    order = TopologicalSorter({name: sorted(found) for name, found in imports.items()}).static_order()
    return "".join(f"{line}\n" for name in order for line in _lines(modules[name]))


def _imports(text: str) -> Iterator[tuple[str, set[str]]]:
    for line in text.splitlines():
        if found := _IMPORT.match(line):
            yield found[2], set(found[1].split(", "))
        elif line.startswith("import "):
            raise WrongModule(f'an import is `import {{ names }} from "./module.js";` in one line: {line}')


def _names(text: str, *, exported: bool) -> Iterator[str]:
    for line in text.splitlines():
        bare = _EXPORT.sub("", line)
        if (found := _DECLARED.match(bare)) and (not exported or bare != line):
            yield from found[1].split(", ") if found[1] else [found[2]]


def _lines(text: str) -> Iterator[str]:
    """Returns the module without what only its readers need."""
    for line in text.splitlines():
        bare = _EXPORT.sub("", line).strip()
        if bare and not bare.startswith("//") and not _IMPORT.match(line):
            yield bare


def main(arguments: Sequence[str], document: Path = PAGE) -> int:
    """Exit status: 0 well, 1 stale, 2 wrong usage."""
    return kept_up("tools.console", arguments, document, lambda _: page())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
