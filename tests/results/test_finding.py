"""What a worker finds of what its predecessor bought."""

from __future__ import annotations

import hashlib
import io

from mediarelay.job_records.contract import Output
from mediarelay.results.result_store import Folder, ResultStore
from tests.doubles.clock import ManualClock
from tests.doubles.media import MemoryMedia

FOLDER = Folder("tts/2026/08/01/job-1/", "content-1")
BOUGHT = {"provider": "acme-tts", "model": "m", "key-id": "k", "cost-usd": "0.1", "index": "0", "outputs": "1"}


def test_a_file_that_was_joined_of_parts_is_no_purchase_of_one_call() -> None:
    media, data = MemoryMedia(), b"sound"
    digest = hashlib.sha256(data).hexdigest()
    output = Output(key=f"{FOLDER.prefix}acme-tts-0.mp3", content_type="audio/mpeg", bytes=5, sha256=digest)
    store = ResultStore(media, ManualClock())
    media.put(output, io.BytesIO(data), {name: fact for name, fact in BOUGHT.items() if name != "key-id"})
    assert store.find(FOLDER) is None
    media.put(output, io.BytesIO(data), BOUGHT)
    found = store.find(FOLDER)
    assert found is not None
    assert found.key_id == "k"
