"""The request of a long text, kept in the bucket: an execution's state has no room for it."""

from __future__ import annotations

import hashlib
import io
from typing import Final

from mediarelay.job_records.contract import PART, Output
from mediarelay.long_speech.speech_state import SpeechState
from mediarelay.request.model import TtsRequest
from mediarelay.results.ports import MediaStore
from mediarelay.results.result_store import prefix_of
from mediarelay.vocabulary.kinds import Kind

_TYPE: Final = "application/json"


class Originals:
    """Keeps requests, and reads them again. One per worker; the last one read is remembered."""

    def __init__(self, store: MediaStore) -> None:
        self._store = store
        self._last: tuple[str, TtsRequest] | None = None

    def keep(self, request: TtsRequest, job_id: str, received_at: int) -> str:
        """Store the request of a job first received then (unix ms). Returns its key.

        Raises:
            StoreUnavailable: The bucket is unavailable.
        """
        key = f"{prefix_of(Kind.TTS, received_at, f'{job_id}{PART}request')}request.json"
        self._put(key, request.model_dump_json(exclude_defaults=True).encode())
        return key

    def read(self, key: str) -> TtsRequest:
        """Read a request.

        Raises:
            StoreUnavailable: The bucket is unavailable.
        """
        if self._last is not None and self._last[0] == key:
            return self._last[1]
        document = io.BytesIO()
        self._store.read(key, document)
        request = TtsRequest.model_validate_json(document.getvalue())
        self._last = key, request
        return request

    def note_state(self, state: SpeechState) -> None:
        """Store what an execution carries: of one that ends by itself only the beginning is known.

        Raises:
            StoreUnavailable: The bucket is unavailable.
        """
        self._put(_state_key(state), state.model_dump_json().encode())

    def last_state(self, begun: SpeechState) -> SpeechState:
        """Read the newest state that was stored of an execution; the one it began with where there is none.

        Raises:
            StoreUnavailable: The bucket is unavailable.
        """
        key, document = _state_key(begun), io.BytesIO()
        if not self._store.find(key):
            return begun
        self._store.read(key, document)
        return SpeechState.model_validate_json(document.getvalue())

    def _put(self, key: str, document: bytes) -> None:
        checksum = hashlib.sha256(document).hexdigest()
        output = Output(key=key, content_type=_TYPE, bytes=len(document), sha256=checksum)
        self._store.put(output, io.BytesIO(document), {})


def _state_key(state: SpeechState) -> str:
    return f"{state.original.rpartition('/')[0]}/state.json"
