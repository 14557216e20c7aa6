"""The simulated vendors by name. A new one is one module here and one entry below."""

from tools.simulator.wire import COMMON_ERRORS, Vendor

from .elevenlabs.api import ElevenLabs
from .fal.api import Fal
from .gemini.api import Gemini
from .kling.api import Kling
from .openai.api import OpenAI
from .replicate.api import Replicate

_ALL: tuple[Vendor, ...] = (OpenAI(), ElevenLabs(), Gemini(), Fal(), Kling(), Replicate())

VENDORS: dict[str, Vendor] = {vendor.name: vendor for vendor in _ALL}

for _vendor in _ALL:
    if _missing := COMMON_ERRORS - set(_vendor.errors):
        raise TypeError(f"{_vendor.name} does not name its error for {', '.join(sorted(_missing))}")
