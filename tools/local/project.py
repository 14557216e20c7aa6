"""Where things are in a clone of this repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
WORKDIR = ROOT / ".local"

VENVS = ROOT / ".venvs"
DEV_PYTHON = VENVS / "dev" / "bin" / "python"
SAM = VENVS / "sam" / "bin" / "sam"
UV_FOLDER = VENVS / "uv" / "bin"
COMMAND = VENVS / "client" / "bin" / "mediarelay"
