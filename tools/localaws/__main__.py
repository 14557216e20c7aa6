"""`python -m tools.localaws`, or this file by its path, from any working directory."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Run by path, this folder heads sys.path and the repository is not on it.
sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != HERE]
sys.path.insert(0, str(HERE.parents[1]))

from tools.localaws.start import main  # noqa: E402  (the path above makes it importable)

if __name__ == "__main__":
    main()
