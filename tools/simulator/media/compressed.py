"""MP3, AAC, Opus and FLAC of any length, from golden bytes."""

from typing import Final

from . import tone
from .golden import golden

# Layer III has 1152 samples in a frame from 32 kHz up, and half of them below.
_MP3_SAMPLES, _MP3_SAMPLES_BELOW_32_KHZ, _MPEG1_RATE = 1152, 576, 32000
_AAC_SAMPLES = 1024
_RATE: Final = 24000
_OGG_PAGE, _OPUS_HEADER_PAGES = b"OggS", 2
_FLAC_FRAME = b"\xff\xf8"
# STREAMINFO ends its word of 64 bits with the number of samples.
_FLAC_LENGTH = slice(18, 26)


def _frames(ticks: int, rate: int, samples: int) -> int:
    return -(-ticks * tone.TICK_MS * rate // (1000 * samples))


def mp3(ticks: int, rate: int, kbps: int) -> bytes:
    """Return mono frames of a tone that cover `ticks` times 60 ms."""
    samples = _MP3_SAMPLES if rate >= _MPEG1_RATE else _MP3_SAMPLES_BELOW_32_KHZ
    return golden(f"tick_{rate}_{kbps}.mp3") * _frames(ticks, rate, samples)


def aac(ticks: int, rate: int) -> bytes:
    """Return mono ADTS frames of a tone that cover `ticks` times 60 ms."""
    _require_golden(rate)
    return golden("tick.aac") * _frames(ticks, rate, _AAC_SAMPLES)


def opus(ticks: int) -> bytes:
    """Return an Ogg stream of silence, `ticks` times 60 ms less what a decoder drops at its start."""
    _, *pages = golden("silence.opus").split(_OGG_PAGE)
    return b"".join(_OGG_PAGE + page for page in pages[: _OPUS_HEADER_PAGES + ticks])


def flac(ticks: int, rate: int, pitch: int = 0) -> bytes:
    """Return a mono stream of `ticks` times 60 ms that rests at a level of its own for each pitch."""
    _require_golden(rate)
    header, *frames = golden(f"level_{pitch}.flac").split(_FLAC_FRAME)
    length = int.from_bytes(header[_FLAC_LENGTH], "big") | ticks * tone.samples_per_tick(rate)
    header = header[: _FLAC_LENGTH.start] + length.to_bytes(8, "big") + header[_FLAC_LENGTH.stop :]
    return header + b"".join(_FLAC_FRAME + frame for frame in frames[:ticks])


def _require_golden(rate: int) -> None:
    if rate != _RATE:
        raise ValueError(f"there are golden bytes for {_RATE} Hz, not for {rate}")
