"""How an execution of a long text begins, and what a worker may have left of the text before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from mediarelay.job_records.contract import Interruption, JobRecord
from mediarelay.job_records.job_spec import JobSpec, adopted, lost
from mediarelay.long_jobs.ports import Opened
from mediarelay.long_speech.originals import Originals
from mediarelay.long_speech.speech_state import SpeechState
from mediarelay.request.model import TtsRequest
from mediarelay.results.ports import MediaStore
from mediarelay.results.result_store import Folder, Purchase, ResultStore, prefix_of
from mediarelay.vocabulary.kinds import JobStatus, Kind


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


def stored_whole(results: ResultStore, whole: JobRecord) -> tuple[JobRecord, Purchase | None]:
    """Find what a worker stored of a whole text before it died, while somebody took that at once.

    Returns the record with that as its last purchase.
    """
    if whole.parts_total is not None or whole.claim_id is None or whole.status is not JobStatus.RUNNING:
        return whole, None
    prefix = prefix_of(Kind.TTS, whole.received_at, whole.request_id)
    found = results.find(Folder(prefix, whole.fingerprint or ""))
    if found is None:
        return whole, None
    purchases = adopted(lost(whole.purchases), found.provider, found.model, found.key_id, found.cost_usd)
    worker = Interruption(
        claim_id=whole.claim_id, claimed_at=whole.claimed_at or 0, lease_until=whole.lease_until or 0, adopted=True
    )
    changes = {"purchases": purchases, "interruptions": [*whole.interruptions, worker]}
    return whole.model_copy(update=changes), found
