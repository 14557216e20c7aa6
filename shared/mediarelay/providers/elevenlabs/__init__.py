"""ElevenLabs: speech, music and sound effects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mediarelay.providers.credentials import ApiKeys
from mediarelay.providers.elevenlabs.errors import elevenlabs_failure
from mediarelay.providers.elevenlabs.sounds import ElevenLabsAudio
from mediarelay.providers.elevenlabs.speech import ElevenLabsTts
from mediarelay.providers.probe import Probe
from mediarelay.providers.vendor import Vendor


def _no_characters_left(body: Mapping[str, Any]) -> bool:
    used, limit = body.get("character_count"), body.get("character_limit")
    return isinstance(used, int) and isinstance(limit, int) and used >= limit


VENDOR = Vendor(
    name="elevenlabs",
    credentials=ApiKeys("ELEVENLABS_API_KEYS", ("ELEVENLABS_API_KEY",)),
    base_url="https://api.elevenlabs.io",
    providers=(ElevenLabsTts(), ElevenLabsAudio()),
    probe=Probe("/v1/user/subscription", elevenlabs_failure, _no_characters_left),
    healthy_seconds={"elevenlabs-audio": 60.0},
)
