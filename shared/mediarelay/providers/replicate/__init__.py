"""Replicate: clips of official models."""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.replicate.video import ReplicateVideo
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="replicate",
    credentials=ApiKeys("REPLICATE_API_KEYS", ("REPLICATE_API_TOKEN",)),
    base_url="https://api.replicate.com",
    providers=(ReplicateVideo(),),
    healthy_seconds={"replicate-video/completion": 600.0},
    notes={"replicate-video": "begins with a picture when `image_url` is given"},
)
