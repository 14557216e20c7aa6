"""Opus in Ogg: the two header pages, then silent 20 ms packets."""

import struct

from . import tone

_PRE_SKIP = 312
_CLOCK = 48000
_PACKET_SAMPLES = 960
_SILENT_PACKET = b"\xf8\xff\xfe"
_PACKETS_PER_PAGE = 50
_SERIAL = 0x5EED
_BEGIN, _END = 2, 4
_VENDOR = b"mediarelay simulator"


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ 0x04C11DB7 if value & 0x80000000 else value << 1) & 0xFFFFFFFF
        table.append(value)
    return tuple(table)


_CRC = _crc_table()


def _crc(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFF00) ^ _CRC[value >> 24 ^ byte]
    return value


def _page(number: int, flags: int, granule: int, packets: list[bytes]) -> bytes:
    head = struct.pack("<4sBBQII", b"OggS", 0, flags, granule, _SERIAL, number)
    rest = bytes((len(packets), *map(len, packets))) + b"".join(packets)
    return head + struct.pack("<I", _crc(head + bytes(4) + rest)) + rest


def opus(ticks: int, rate: int) -> bytes:
    """A mono Ogg Opus stream of `ticks` times 60 ms; `rate` is the input rate noted in its header."""
    total = ticks * tone.TICK_MS * _CLOCK // 1000 + _PRE_SKIP
    packets = -(-total // _PACKET_SAMPLES)
    pages = [
        _page(0, _BEGIN, 0, [struct.pack("<8sBBHIHB", b"OpusHead", 1, 1, _PRE_SKIP, rate, 0, 0)]),
        _page(1, 0, 0, [struct.pack("<8sI", b"OpusTags", len(_VENDOR)) + _VENDOR + bytes(4)]),
    ]
    for start in range(0, packets, _PACKETS_PER_PAGE):
        stop = min(packets, start + _PACKETS_PER_PAGE)
        last = stop == packets
        # The last page names the true end, which trims the padding of its final packet.
        granule = total if last else stop * _PACKET_SAMPLES
        pages.append(_page(len(pages), _END if last else 0, granule, [_SILENT_PACKET] * (stop - start)))
    return b"".join(pages)
