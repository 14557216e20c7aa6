"""fal.ai: pictures, sounds and clips."""

from .api import SIMULATED

__all__ = ["SIMULATED"]
