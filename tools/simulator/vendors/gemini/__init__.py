"""Gemini's speech."""

from .api import SIMULATED

__all__ = ["SIMULATED"]
