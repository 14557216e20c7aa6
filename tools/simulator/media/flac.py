"""FLAC with verbatim subframes: one frame per tick, each made once and kept."""

import hashlib
from functools import lru_cache

from . import tone

_BITS = 16
_RATE_CODES = {8000: 4, 16000: 5, 22050: 6, 24000: 7, 32000: 8, 44100: 9, 48000: 10}
_BLOCK_SIZE_16_BIT = 0b0111
_MONO_16_BIT = 0b0000_100_0
_VERBATIM = 0b0_000001_0


def _crc_table(polynomial: int, width: int) -> tuple[int, ...]:
    top, mask = 1 << (width - 1), (1 << width) - 1
    table = []
    for byte in range(256):
        value = byte << (width - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        table.append(value)
    return tuple(table)


_CRC8 = _crc_table(0x07, 8)
_CRC16 = _crc_table(0x8005, 16)


def _crc8(data: bytes) -> int:
    value = 0
    for byte in data:
        value = _CRC8[value ^ byte]
    return value


def _crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFF00) ^ _CRC16[value >> 8 ^ byte]
    return value


@lru_cache(maxsize=2048)
def _frame(rate: int, pitch: int, number: int) -> bytes:
    header = bytes((0xFF, 0xF8, _BLOCK_SIZE_16_BIT << 4 | _RATE_CODES[rate], _MONO_16_BIT))
    # FLAC numbers its frames with the coding that UTF-8 uses for characters.
    header += chr(number).encode() + (tone.samples_per_tick(rate) - 1).to_bytes(2, "big")
    header += bytes((_crc8(header),))
    little = tone.tick_pcm(rate, pitch)
    big = bytearray(len(little))
    big[0::2], big[1::2] = little[1::2], little[0::2]
    body = header + bytes((_VERBATIM,)) + bytes(big)
    return body + _crc16(body).to_bytes(2, "big")


def flac(ticks: int, rate: int, pitch: int = 0) -> bytes:
    """A lossless mono FLAC stream with its STREAMINFO (sample count and MD5 included)."""
    block = tone.samples_per_tick(rate)
    packed = rate << 44 | (_BITS - 1) << 36 | ticks * block
    digest = hashlib.md5(tone.pcm(ticks, rate, pitch), usedforsecurity=False).digest()
    info = block.to_bytes(2, "big") * 2 + bytes(6) + packed.to_bytes(8, "big") + digest
    frames = (_frame(rate, pitch, number) for number in range(ticks))
    return b"fLaC\x80" + len(info).to_bytes(3, "big") + info + b"".join(frames)
