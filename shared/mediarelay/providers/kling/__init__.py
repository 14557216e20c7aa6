"""Kling, direct: clips."""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.kling.video import KlingVideo
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="kling",
    credentials=ApiKeys("KLING_API_KEYS", ("KLING_API_KEY",)),
    base_url="https://api-singapore.klingai.com",
    providers=(KlingVideo(),),
    healthy_seconds={"kling-video/completion": 600.0},
    notes={"kling-video": "begins with a picture when `image_url` is given"},
)
