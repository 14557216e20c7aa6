"""The page of the console is what its modules are, joined so that nothing collides."""

from __future__ import annotations

import pytest

from tools import console

FORMAT = 'const none = "-";\nexport const dollars = (value) => `$${value}`;\n'
MAIN = '// The frame.\nimport { dollars } from "./format.js";\n  show(dollars(1));\nexport function show(text) {}\n'


def test_the_page_that_is_served_is_that_of_the_modules(capsys: pytest.CaptureFixture[str]) -> None:
    assert (console.main(["check"]), capsys.readouterr().err) == (0, "")


def test_modules_are_joined_behind_those_that_they_need_without_what_only_readers_need() -> None:
    assert console.joined({"main": MAIN, "format": FORMAT}).splitlines() == [
        'const none = "-";',
        "const dollars = (value) => `$${value}`;",
        "show(dollars(1));",
        "function show(text) {}",
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("const none = 1;\n", "none is declared by format.js and by main.js"),
        ("const { some, none } = ui;\n", "none is declared"),
        ('import { none } from "./format.js";\n', "main.js imports none, which format.js does not export"),
        ('import { dollars } from "./other.js";\n', "main.js imports dollars, which other.js does not export"),
        ('import * as all from "./format.js";\n', "an import is"),
    ],
)
def test_what_cannot_be_joined_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(console.WrongModule, match=complaint):
        console.joined({"format": FORMAT, "main": text})


def test_the_bundle_is_the_one_whose_making_is_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "BUNDLE", "entry.js")
    with pytest.raises(console.WrongModule, match="is not the one"):
        console.page()
