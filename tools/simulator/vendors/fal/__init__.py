"""fal.ai: pictures, sounds and clips."""

from .api import SIMULATED
from .errors import VENDOR_DOCUMENTS

__all__ = ["SIMULATED", "VENDOR_DOCUMENTS"]
