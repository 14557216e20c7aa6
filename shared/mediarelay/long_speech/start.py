"""How an execution of a long text begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from mediarelay.job_records.job_spec import JobSpec
from mediarelay.long_jobs.ports import Opened
from mediarelay.long_speech.originals import Originals
from mediarelay.long_speech.speech_state import SpeechState
from mediarelay.request.model import TtsRequest
from mediarelay.results.ports import MediaStore


def speech_job(store: MediaStore) -> Callable[[JobSpec, Opened, int], Mapping[str, object]]:
    """Returns how it begins: with the request in the bucket, and nothing planned."""
    originals = Originals(store)

    def begin(spec: JobSpec, opened: Opened, _ttl: int) -> Mapping[str, object]:
        request = cast("TtsRequest", spec.request)
        providers = [route.offer.provider for route in spec.routes]
        original = originals.keep(request, spec.job_id, opened.received_at)
        state = SpeechState(
            request_id=spec.job_id,
            original=original,
            received_at=opened.received_at,
            opened_at=opened.opened_at,
            expires_at=spec.expires_at,
            reuse_key=spec.reuse_key,
            # Whoever asks for one voice and no other waits for it.
            providers=providers[:1] if request.input.voice_policy == "exact" else providers,
        )
        return state.to_state()

    return begin
