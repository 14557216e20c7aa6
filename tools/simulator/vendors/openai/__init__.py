"""OpenAI as of November 2026."""

from .api import SIMULATED

__all__ = ["SIMULATED"]
