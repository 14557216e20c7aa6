"""The results bucket in memory."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from mediarelay.job_records.contract import Output
from mediarelay.results.ports import StoredObject
from mediarelay.vocabulary.errors import StoreUnavailable


class MemoryMedia:
    """Implements `results.ports.MediaStore`. Thread-safe; `files` holds the bytes by key."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._objects: dict[str, StoredObject] = {}
        self._contents: dict[str, bytes] = {}  # what many files have alike is kept once
        self._lock = threading.Lock()

    def put(self, output: Output, body: IO[bytes], facts: Mapping[str, str]) -> None:
        """See `results.ports.MediaStore.put`."""
        data = body.read()
        if hashlib.sha256(data).hexdigest() != output.sha256:
            raise StoreUnavailable("results bucket", "store a result", "BadDigest")
        with self._lock:
            self.files[output.key] = self._contents.setdefault(output.sha256, data)
            self._objects[output.key] = StoredObject(output, {**facts, "sha256": output.sha256})

    def find(self, prefix: str) -> Sequence[StoredObject]:
        """See `results.ports.MediaStore.find`."""
        with self._lock:
            names = {key: key.removeprefix(prefix) for key in self._objects if key.startswith(prefix)}
            return [self._objects[key] for key in sorted(names) if "/" not in names[key]]

    def read(self, key: str, into: IO[bytes]) -> None:
        """See `results.ports.MediaStore.read`."""
        with self._lock:
            data = self.files.get(key)
        if data is None:
            raise StoreUnavailable("results bucket", "read a file", "NoSuchKey")
        into.write(data)
