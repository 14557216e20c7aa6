"""Replicate: speech and clips of official models."""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.probe import Probe
from mediarelay.providers.replicate.errors import replicate_failure
from mediarelay.providers.replicate.speech import ReplicateTts
from mediarelay.providers.replicate.video import ReplicateVideo
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="replicate",
    credentials=ApiKeys("REPLICATE_API_KEYS", ("REPLICATE_API_TOKEN",)),
    base_url="https://api.replicate.com",
    providers=(ReplicateTts(), ReplicateVideo()),
    probe=Probe("/v1/account", replicate_failure),
    healthy_seconds={"replicate-tts": 12.0, "replicate-video/completion": 600.0},
    notes={
        "replicate-tts": "MiniMax's voices; `mp3`, `wav`, `flac` and `pcm`",
        "replicate-video": "begins with a picture when `image_url` is given",
    },
)
