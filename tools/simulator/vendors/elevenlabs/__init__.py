"""ElevenLabs: speech, music and sound effects."""

from .api import SIMULATED

__all__ = ["SIMULATED"]
