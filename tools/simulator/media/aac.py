"""AAC in ADTS: one silent low-complexity frame, repeated."""

from . import tone

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_SAMPLES = 1024
_HEADER_BYTES = 7
# Single channel element with no scale factor band in use, then the end marker: exactly 32 bits.
_SILENT_BLOCK = b"\x00\x00\x00\x07"


def aac(ticks: int, rate: int) -> bytes:
    """Mono ADTS frames covering `ticks` times 60 ms."""
    length = _HEADER_BYTES + len(_SILENT_BLOCK)
    sync, profile_lc, channels, fullness = 0xFFF1, 1, 1, 0x7FF
    header = sync << 40 | profile_lc << 38 | _RATES.index(rate) << 34 | channels << 30 | length << 13 | fullness << 2
    frames = -(-ticks * tone.TICK_MS * rate // (1000 * _SAMPLES))
    return (header.to_bytes(_HEADER_BYTES, "big") + _SILENT_BLOCK) * frames
