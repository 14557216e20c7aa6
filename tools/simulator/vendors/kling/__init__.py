"""Kling's clips."""

from .api import SIMULATED

__all__ = ["SIMULATED"]
