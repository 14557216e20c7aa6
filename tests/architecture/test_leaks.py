from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

# Written so that no pattern matches itself.
FORBIDDEN = {
    "a registry's host": r"pypi[.](?:org|python)|python[h]osted[.]org|registry[.]npm|artifac[t]ory",
    "a path of somebody's machine": r"(?<![\w.:/$}~*-])/(?:work|root|home/[a-z]+|Users/[A-Za-z]+)/",
    "a scratch path": r"(?<![\w.:/$}~*-])/tmp/[a-z0-9]",
    "an OpenAI key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "an ElevenLabs key": r"\bsk_[a-f0-9]{32,}",
    "an AWS key id": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "a Google key": r"\bAIza[A-Za-z0-9_-]{35}",
    "a Replicate key": r"\br8_[A-Za-z0-9]{30,}",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    "a fal key": r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9a-f]{32}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
}


def project_files() -> list[Path]:
    """What is committed, and what would be by `git add`."""
    git = shutil.which("git") or "git"
    listed = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    return [path for name in listed.stdout.decode().split("\0") if (path := ROOT / name).is_file()]


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    found = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in project_files()}
    return {name: data.decode("utf-8", "replace") for name, data in found.items() if b"\0" not in data[:4096]}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str, texts: dict[str, str]) -> None:
    assert "template.yaml" in texts
    pattern = re.compile(FORBIDDEN[what])
    found = [f"{name}: {match.group()}" for name, text in texts.items() for match in pattern.finditer(text)]
    assert found == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a registry's host", "https://pypi" + ".org/simple"),
        ("a path of somebody's machine", " /home" + "/ann/project"),
        ("a scratch path", '"/tmp' + '/x"'),
        ("an OpenAI key", "sk-" + "a1" * 12),
        ("an AWS key id", "AKIA" + "A" * 16),
    ],
)
def test_the_patterns_find_what_they_are_for(what: str, text: str) -> None:
    assert re.search(FORBIDDEN[what], text)
