"""fal.ai: pictures at once; clips, music and sound effects by its queue, which has an address of its own."""

from __future__ import annotations

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.fal.flux import FalFlux, FalFlux2
from mediarelay.providers.fal.kling import FalKling
from mediarelay.providers.fal.sounds import FalSoundEffects, FalStableAudio
from mediarelay.providers.vendor import Vendor

VENDOR = Vendor(
    name="fal",
    credentials=ApiKeys("FAL_KEYS", ("FAL_KEY",)),
    base_url="https://fal.run",
    other_base_urls={"fal-queue": "https://queue.fal.run"},
    providers=(FalFlux(), FalFlux2(), FalKling(), FalStableAudio(), FalSoundEffects()),
    healthy_seconds={
        "fal-flux": 12.0,
        "fal-flux-2": 12.0,
        "fal-kling/completion": 600.0,
        "fal-stable-audio/completion": 120.0,
        "fal-sound-effects/completion": 60.0,
    },
    notes={"fal-sound-effects": 'for `"type": "sfx"`'},
)
