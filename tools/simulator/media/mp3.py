"""MPEG Layer III: frames whose side information says nothing is coded, which decodes to silence."""

from dataclasses import dataclass

from . import tone

_MPEG1_KBPS = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG1_RATES = (44100, 48000, 32000)
_MPEG2_RATES = (22050, 24000, 16000)
_SYNC_LAYER3_NO_CRC = 0xFFE3  # with the two version bits (0x18) still zero
_MPEG1_BITS = 0x18
_MPEG2_BITS = 0x10
_MONO = 0xC0


@dataclass(frozen=True)
class _Shape:
    """What one frame of a sampling rate looks like."""

    version: int
    rate_index: int
    bitrates: tuple[int, ...]
    samples: int


def _shape(rate: int) -> _Shape:
    if rate in _MPEG1_RATES:
        return _Shape(_MPEG1_BITS, _MPEG1_RATES.index(rate), _MPEG1_KBPS, 1152)
    return _Shape(_MPEG2_BITS, _MPEG2_RATES.index(rate), _MPEG2_KBPS, 576)


def supported(rate: int, kbps: int) -> bool:
    """Whether Layer III has a frame of this sampling rate (Hz) and bit rate (kbit/s)."""
    return rate in _MPEG1_RATES + _MPEG2_RATES and kbps in _shape(rate).bitrates[1:]


def mp3(ticks: int, rate: int, kbps: int) -> bytes:
    """Constant bit rate mono frames covering `ticks` times 60 ms."""
    shape = _shape(rate)
    first = (_SYNC_LAYER3_NO_CRC | shape.version).to_bytes(2, "big")
    third = shape.bitrates.index(kbps) << 4 | shape.rate_index << 2
    unit = shape.samples // 8 * kbps * 1000
    frames, spent = [], 0
    for number in range(1, -(-ticks * tone.TICK_MS * rate // (1000 * shape.samples)) + 1):
        # The fraction lost by whole-byte frames comes back as one padding byte whenever it adds up.
        length = number * unit // rate - spent
        spent += length
        padding = length - unit // rate
        frames.append(first + bytes((third | padding << 1, _MONO)) + bytes(length - 4))
    return b"".join(frames)
