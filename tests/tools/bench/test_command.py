from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.bench import __main__ as command
from tools.bench.result import Measurement


def measured(name: str, value: float) -> Iterator[Measurement]:
    yield Measurement(name, value, "ms", "a reference", 2.0, 0.5)


def breaks() -> Iterator[Measurement]:
    yield from measured("half", 1.0)
    raise RuntimeError("no stack")


@pytest.fixture(autouse=True)
def _benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Measurement, "write", lambda _result: None)
    benches = {"good": lambda: measured("good", 1.0), "slow": lambda: measured("slow", 1.1), "broken": breaks}
    monkeypatch.setattr(command, "BENCHES", benches)


def run(*names: str) -> object:
    with pytest.raises(SystemExit) as caught:
        command.main(list(names))
    return caught.value.code


def test_every_bar_that_holds_is_a_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("good") == 0
    assert "mediarelay: 1 of 1 bars hold; " in capsys.readouterr().out


def test_a_bar_that_is_missed_is_named_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("good", "slow") == 1
    assert "mediarelay: 1 of 2 bars hold; not slow; " in capsys.readouterr().out


def test_a_bench_that_breaks_stops_no_other_and_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("broken", "good") == 1
    out = capsys.readouterr().out
    assert "no stack" in out
    assert "mediarelay: 1 of 1 bars hold; broken: broken; " in out
