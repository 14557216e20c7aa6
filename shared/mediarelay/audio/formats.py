"""Which format to ask a vendor for, and at which rates each can be written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

# Headerless samples don't say their rate; this is what `pcm` means with every provider.
PCM_RATE: Final = 24_000

# Best first: what loses nothing, of that what says its own rate; then by how much is lost.
SOURCES: Final = ("wav", "flac", "pcm", "mp3", "opus", "aac")

# Rates of the containers that have a fixed set: ISO 11172-3 and 13818-3 with the extension to 2.5, ISO 14496-3,
# RFC 6716. Opus always plays at 48 kHz; lower rates only narrow what is heard.
RATES: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType(
    {
        "mp3": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
        "aac": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
        "opus": (8_000, 12_000, 16_000, 24_000, 48_000),
    }
)


def source_format(wanted: str, made: Collection[str], *, remade: bool = False) -> str:
    """Returns the format to ask a vendor for: the wanted one where it makes that, else its best to make that of.

    Args:
        wanted: What the request asks for.
        made: What the vendor makes; empty means all.
        remade: Whether the sound is decoded and encoded in any case, for another rate or loudness.
    """
    offered = [name for name in SOURCES if not made or name in made]
    if not offered or (wanted in offered and not remade):
        return wanted
    return offered[0]


def rate_for(format_: str, rate: int) -> int:
    """Returns the rate at which sound of that rate is written: the next one up that the format has, or its highest."""
    allowed = RATES.get(format_)
    if allowed is None:
        return rate
    return next((one for one in allowed if one >= rate), allowed[-1])
