"""Replicate's predictions."""

from .api import SIMULATED

__all__ = ["SIMULATED"]
