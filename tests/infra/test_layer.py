"""The layers as `sam build` makes them on this host, whatever Python the host has."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.template import ROOT

SAM = ROOT / ".venvs" / "sam" / "bin" / "sam"
# Lambda takes 250 MB unzipped for a function with all its layers; growth beyond this is a dependency to think about.
LIMIT_MEGABYTES = 25
AUDIO_LIMIT_MEGABYTES = 120

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """`sam build` in one environment of samconfig.toml; gives the folder that Lambda unpacks to /opt."""
    built: dict[str, Path] = {}

    def layer(environment: str, name: str = "SharedLayer") -> Path:
        if environment not in built:
            folder = tmp_path_factory.mktemp(environment)
            run_sam_build(environment, folder)
            built[environment] = folder
        return built[environment] / name

    return layer


def run_sam_build(environment: str, folder: Path) -> None:
    command = [str(SAM), "build", "--config-env", environment, "--build-dir", str(folder), "--no-cached"]
    variables = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def compiled_core(layer: Path) -> list[str]:
    return [path.name for path in (layer / "python" / "pydantic_core").glob("*.so")]


@pytest.mark.parametrize(
    ("environment", "module"),
    [
        ("default", "_pydantic_core.cpython-313-aarch64-linux-gnu.so"),
        ("invoke", "_pydantic_core.cpython-313-x86_64-linux-gnu.so"),
        ("local", "_pydantic_core.cpython-311-x86_64-linux-gnu.so"),
    ],
)
def test_layer_is_compiled_for_the_environments_runtime_and_processor(
    build: Build, environment: str, module: str
) -> None:
    assert compiled_core(build(environment)) == [module]


@pytest.mark.parametrize(
    ("environment", "tag"),
    [
        ("default", "cp312-abi3-manylinux_2_28_aarch64"),
        ("invoke", "cp312-abi3-manylinux_2_28_x86_64"),
        ("local", "cp311-abi3-manylinux_2_28_x86_64"),
    ],
)
def test_audio_layer_is_compiled_for_the_environments_processor(build: Build, environment: str, tag: str) -> None:
    (wheel,) = (build(environment, "AudioLayer") / "python").glob("av-*.dist-info/WHEEL")
    assert f"Tag: {tag}" in wheel.read_text(encoding="utf-8").splitlines()


def test_audio_layer_holds_nothing_but_what_is_locked_for_it(build: Build) -> None:
    layer = build("default", "AudioLayer")
    assert {path.name.partition("-")[0] for path in (layer / "python").iterdir()} == {"av", "av.libs"}
    assert size_of(layer) < AUDIO_LIMIT_MEGABYTES * 1024 * 1024


def size_of(layer: Path) -> int:
    return sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())


def test_layer_holds_the_package_as_it_is_in_the_repository(build: Build) -> None:
    shipped = build("default") / "python" / "mediarelay"
    source = ROOT / "shared" / "mediarelay"

    def files(folder: Path) -> set[Path]:
        return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    assert files(shipped) == files(source)


def test_layer_holds_every_locked_dependency(build: Build) -> None:
    lock = (ROOT / "shared" / "requirements.txt").read_text(encoding="utf-8")
    locked = {name.replace("-", "_") for name in re.findall(r"^([a-z0-9-]+)==", lock, flags=re.MULTILINE)}
    shipped = {path.name.split("-")[0].lower() for path in (build("default") / "python").glob("*.dist-info")}

    assert shipped == locked


def test_layer_holds_no_tests_caches_or_commands(build: Build) -> None:
    layer = build("default")
    unwanted = {"tests", "test", "__pycache__", "bin", "Makefile", "targets", "requirements.txt"}

    assert [path for path in layer.rglob("*") if path.name in unwanted or path.suffix == ".pyc"] == []
    assert [path.name for path in layer.iterdir()] == ["python"]


def test_layer_stays_small(build: Build) -> None:
    assert size_of(build("default")) < LIMIT_MEGABYTES * 1024 * 1024


def test_build_without_uv_says_what_to_do(tmp_path: Path) -> None:
    target = tmp_path / "targets" / "python3.13-arm64"
    target.mkdir(parents=True)
    for name in ("Makefile", "targets/python3.13-arm64/Makefile"):
        (tmp_path / name).write_bytes((ROOT / "shared" / name).read_bytes())
    tools = {"PATH": "/usr/bin:/bin", "ARTIFACTS_DIR": str(tmp_path / "out")}

    done = subprocess.run(
        ["/usr/bin/make", "-f", target / "Makefile", "build-SharedLayer"],
        cwd=tmp_path,
        env=tools,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "run 'make install' in the project, or put uv on PATH" in done.stderr
