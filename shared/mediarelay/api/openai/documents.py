"""Pictures as the JSON document that an SDK reads, written to the results bucket: a function never holds one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final, cast

from mediarelay.job_records.contract import Output

if TYPE_CHECKING:
    from mediarelay.results.ports import MediaStore

# In a folder of its own: beside the pictures it would be taken for one of them.
NAME: Final = "openai/pictures.json"


def write_pictures(store: MediaStore, outputs: Sequence[Output], facts: Mapping[str, Any]) -> str:
    """Write stored pictures as one document that begins with the facts. Returns its key; raises `StoreUnavailable`."""
    key = f"{outputs[0].key.rpartition('/')[0]}/{NAME}"
    with TemporaryFile() as file:
        document = _Document(file)
        document.text(f'{json.dumps(facts)[:-1]}, "data": [')
        for number, output in enumerate(outputs):
            document.text(f'{", " if number else ""}{{"b64_json": "')
            store.read(output.key, cast("IO[bytes]", document))
            document.end()
            document.text('"}')
        document.text("]}")
        size = file.tell()
        file.seek(0)
        written = Output(key=key, content_type="application/json", bytes=size, sha256=document.digest.hexdigest())
        store.put(written, file, {})
    return key


class _Document:
    """A file to which bytes are written in base64, three at a time."""

    def __init__(self, file: IO[bytes]) -> None:
        self.digest = hashlib.sha256()
        self._file = file
        self._rest = b""

    def text(self, text: str) -> None:
        self._out(text.encode())

    def write(self, data: bytes) -> int:
        whole = self._rest + data
        end = len(whole) - len(whole) % 3
        self._out(base64.b64encode(whole[:end]))
        self._rest = whole[end:]
        return len(data)

    def end(self) -> None:
        self._out(base64.b64encode(self._rest))
        self._rest = b""

    def _out(self, data: bytes) -> None:
        self.digest.update(data)
        self._file.write(data)
