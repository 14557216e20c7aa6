from __future__ import annotations

import re
from pathlib import Path

import pytest

from mediarelay.providers.listing import INDEX
from mediarelay.providers.registry import ALL_PROVIDERS
from tools.calendar import BEGIN as CALENDAR
from tools.calendar import END as END_OF_CALENDAR
from tools.provider_table import BEGIN, DOCUMENT, END, main, rewritten


def test_every_provider_has_its_row(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    calendar = f"{CALENDAR}old\n{END_OF_CALENDAR}"
    page.write_text(f"before\n{BEGIN}old\n{END}\nbetween\n{calendar}\nafter\n", encoding="utf-8")
    listed = tmp_path / "index.json"
    listed.write_text("[]", encoding="utf-8")
    assert main(["check"], page, listed) == 1
    assert main(["write"], page, listed) == 0
    assert main(["check"], page, listed) == 0
    assert listed.read_bytes() == INDEX.read_bytes()
    text = page.read_text(encoding="utf-8")
    assert [name for name in ALL_PROVIDERS if f"| `{name}` |" not in text] == []
    assert "| audio | sfx | elevenlabs, fal |" in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")


def test_the_example_of_the_page_on_servers_adds_what_the_page_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (DOCUMENT.parent / "docs" / "openai-servers.md").read_text("utf-8")
    example = re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0]
    servers = tmp_path / "servers.json"
    servers.write_text(example, encoding="utf-8")
    assert main(["of", str(servers)]) == 0
    told = capsys.readouterr()
    assert "| `acme-tts` | tts | acme-fast | `ACME_API_KEYS` or `ACME_API_KEY` |" in told.out
    servers.write_text(example.replace("https://", "http://"), encoding="utf-8")
    assert main(["of", str(servers)]) == 1
    fault = capsys.readouterr().err
    assert fault.startswith("OPENAI_SERVERS[0]: base_url: must be an https address")
    assert fault.removeprefix("OPENAI_SERVERS[0]: ").strip() in " ".join(page.split())


def test_a_page_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(ValueError, match="no place"):
        rewritten("nothing")


def test_an_unknown_command_is_refused_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sideways"]) == 2
    assert "write|check" in capsys.readouterr().err
