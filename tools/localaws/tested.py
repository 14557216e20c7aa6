"""`python -m tools.localaws.tested [record]`: whether the local AWS is what its suite last passed on.

The suite takes minutes and depends on nothing but this folder and the lock of its environment. So `make test-localaws`
records a digest of both in a file of the repository when it has passed, and CI runs the suite whenever the digest does
not match. Content is compared, not history: a shallow clone has none, and a rebase rewrites it. Whoever forgets to
commit the record has CI run the suite once more; it never has CI skip it.
"""

import hashlib
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LOCK = FOLDER.parents[1] / "requirements" / "ministack.txt"
RECORD = FOLDER / "tested.sha256"


def digest(folder: Path, lock: Path) -> str:
    """Returns the digest of a folder's sources, names and contents, and of a lock."""
    total = hashlib.sha256(lock.read_bytes())
    sources = (path for path in folder.rglob("*") if path.suffix in {".py", ".toml"})
    for path in sorted(sources):
        total.update(
            f"{path.relative_to(folder).as_posix()} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
        )
    return total.hexdigest()


def main(arguments: list[str]) -> int:
    """Record the digest, or compare it with the record; returns 1 when they differ."""
    found = digest(FOLDER, LOCK)
    if arguments == ["record"]:
        RECORD.write_text(found + "\n", encoding="utf-8")
        return 0
    return int(not RECORD.exists() or RECORD.read_text(encoding="utf-8").strip() != found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
