from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mediarelay_client.errors import NotFound
from mediarelay_client.settings import config_file, exported, find, save_profile


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def local(folder: Path, port: int) -> None:
    (folder / ".local").mkdir()
    text = f"export AWS_ENDPOINT_URL=http://127.0.0.1:{port}\nexport REQUEST_QUEUE_URL='http://q'\n"
    (folder / ".local" / "env").write_text(text, encoding="utf-8")


def test_what_is_given_comes_first_then_variables(folder: Path, port: int) -> None:
    local(folder, port)
    environ = {"MEDIARELAY_QUEUE_URL": "http://v", "MEDIARELAY_TENANT": "acme"}
    found = find({"tenant": "other"}, environ=environ)
    assert (found.queue_url, found.tenant) == ("http://v", "other")
    assert found.origins == {"queue_url": "the environment", "tenant": "given"}


def test_the_local_stack_of_a_parent_folder_is_found(folder: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    local(folder, port)
    (folder / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(folder / "a" / "b")
    found = find(environ={})
    assert (found.queue_url, found.origins["queue_url"]) == ("http://q", str(folder / ".local" / "env"))


def test_a_local_stack_that_is_down_is_passed_over(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        local(folder, server.getsockname()[1])
    environ = {"XDG_CONFIG_HOME": str(folder)}
    save_profile("default", {"queue_url": "http://p"}, environ)
    assert find(environ=environ).queue_url == "http://p"


@pytest.mark.usefixtures("folder")
def test_a_sourced_environment_counts_as_the_local_stack() -> None:
    environ = {"REQUEST_QUEUE_URL": "http://s", "API_URL": "http://a/", "API_TOKEN": "t"}
    found = find(environ=environ)
    assert (found.queue_url, found.api_url, found.api_token) == ("http://s", "http://a/", "t")
    assert find({"api_url": "http://b/"}, environ={"API_URL": "http://of-somebody-else"}).api_url == "http://b/"


def test_a_profile_is_kept_for_its_owner_alone_beside_the_others(folder: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(folder)}
    save_profile("default", {"api_url": "http://d/"}, environ)
    save_profile("prod", {"api_url": "http://p/", "api_token": 'a "quoted" one'}, environ)
    save_profile("of acme", {"api_url": "http://a/"}, environ)
    assert stat.S_IMODE(config_file(environ).stat().st_mode) == 0o600
    found = find(profile="prod", environ=environ)
    assert (found.api_url, found.api_token) == ("http://p/", 'a "quoted" one')
    assert '"quoted"' not in repr(found)
    assert find(environ=environ).api_url == "http://d/"
    assert find(profile="of acme", environ=environ).api_url == "http://a/"
    with pytest.raises(NotFound, match="no profile nobody"):
        find(profile="nobody", environ=environ)


def test_without_anything_it_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(NotFound) as caught:
        find(environ={"XDG_CONFIG_HOME": str(folder)})
    assert caught.value.hint is not None
    assert "make local" in caught.value.hint


def test_what_a_shell_would_have_to_work_out_is_left_out() -> None:
    assert exported("export A='x y'\nexport B=\"$HOME\"\nC=3\n") == {"A": "x y"}
