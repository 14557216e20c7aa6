from __future__ import annotations

from datetime import date

import pytest

from tools.voice_table import main, rows


def speakers(day: date, language: str = "en") -> dict[str, dict[str, str]]:
    (_, *providers), *table = rows(day, language)
    return {name: dict(zip(providers, cells, strict=True)) for name, *cells in table}


def test_the_table_says_who_speaks_on_a_day_and_in_a_language() -> None:
    before, after = speakers(date(2026, 12, 1)), speakers(date(2027, 1, 7))
    assert (before["alloy"]["openai-tts"], after["alloy"]["openai-tts"]) == ("alloy", "-")
    assert (before["(none)"]["elevenlabs-tts"], after["(none)"]["elevenlabs-tts"]) == ("JBFqnCBsd6RMkjVDRZzb", "-")
    assert after["alloy"]["polly-tts"] == "Joanna"
    assert speakers(date(2027, 1, 7), "de")["alloy"]["polly-tts"] == "Vicki"


def test_it_is_printed_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["2027-01-07", "en"]) == 0
    title, *lines = capsys.readouterr().out.splitlines()
    assert {line[title.index("gemini-tts") :].split()[0] for line in lines if line.startswith("alloy")} == {"Kore"}


def test_what_is_no_day_is_answered_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tomorrow"]) == 2
    assert "usage" in capsys.readouterr().err
