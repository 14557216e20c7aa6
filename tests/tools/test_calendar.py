from __future__ import annotations

import pytest

from tools.calendar import main, table


def test_a_day_on_which_all_is_well_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["2027-01-07"]) == 0
    said = capsys.readouterr()
    assert "| tts | mp3 | " in said.out
    assert said.err == ""


def test_a_row_with_fewer_than_two_vendors_is_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.calendar.NAMES", ("gemini", "openai"))
    assert main(["2027-01-07"]) == 1
    said = capsys.readouterr()
    assert "| tts | mp3 | gemini |" in said.out
    assert "| video | clip | nobody |" in said.out
    assert "tts mp3: fewer than two vendors on 2027-01-07" in said.err


def test_today_is_the_day_when_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) in (0, 1)
    assert capsys.readouterr().out.startswith(table([]))


@pytest.mark.parametrize("arguments", [["soon"], ["2027-01-07", "2027-01-08"], ["2027-13-01"]])
def test_what_is_no_day_is_refused_with_the_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "usage" in capsys.readouterr().err
