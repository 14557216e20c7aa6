from pathlib import Path

import pytest

from tools.localaws.tested import digest


@pytest.fixture
def project(tmp_path) -> tuple[Path, Path]:
    folder = tmp_path / "localaws"
    (folder / "fixes").mkdir(parents=True)
    (folder / "fixes" / "ttl.py").write_text("one")
    (tmp_path / "lock").write_text("ministack==1")
    return folder, tmp_path / "lock"


@pytest.mark.parametrize(
    "change",
    [
        lambda folder, _: (folder / "fixes" / "ttl.py").write_text("two"),
        lambda folder, _: (folder / "fixes" / "ttl.py").rename(folder / "ttl.py"),
        lambda folder, _: (folder / "fixes" / "alarms.py").touch(),
        lambda folder, _: (folder / "pyproject.toml").touch(),
        lambda _, lock: lock.write_text("ministack==2"),
    ],
)
def test_a_change_of_a_source_or_of_the_lock_is_seen(project, change):
    before = digest(*project)
    change(*project)
    assert digest(*project) != before


def test_what_is_left_behind_by_a_run_is_no_change(project):
    before = digest(*project)
    (project[0] / "fixes" / "ttl.cpython-311.pyc").touch()
    (project[0] / "tested.sha256").write_text(before)
    assert digest(*project) == before
