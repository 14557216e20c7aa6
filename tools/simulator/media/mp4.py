"""MP4 around H.264: one picture of one colour, raw as it is, and then frames that repeat it.

Baseline profile with I_PCM macroblocks (ITU-T H.264 7.3.5) needs no transform and no entropy coding of coefficients, so
a few dozen lines make a stream that every player takes; the repeated frames are a handful of bytes each.
"""

import struct

from .colour import Colour

FRAMES_PER_SECOND = 5
_TIMESCALE = 1000
_BLOCK = 16
_LEVEL = 40
_NAL_SPS, _NAL_PPS, _NAL_IDR, _NAL_SLICE = 0x67, 0x68, 0x65, 0x41
_I_PCM = 25
_SLICE_P_ALL, _SLICE_I_ALL = 5, 7
_IDENTITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


class _Bits:
    """A bit string in the making."""

    def __init__(self) -> None:
        self._bits: list[str] = []
        self._length = 0

    def u(self, value: int, width: int) -> None:
        """An unsigned number of that many bits."""
        self._bits.append(format(value, f"0{width}b"))
        self._length += width

    def ue(self, value: int) -> None:
        """An Exp-Golomb number."""
        coded = format(value + 1, "b")
        self.u(value + 1, 2 * len(coded) - 1)

    def align(self) -> None:
        """Zeros up to the next byte."""
        if self._length % 8:
            self.u(0, 8 - self._length % 8)

    def raw(self, data: bytes) -> None:
        """Whole bytes."""
        self._bits.append("".join(f"{byte:08b}" for byte in data))
        self._length += 8 * len(data)

    def finished(self) -> bytes:
        """With the stop bit, in bytes."""
        self.u(1, 1)
        self.align()
        return int("".join(self._bits), 2).to_bytes(self._length // 8, "big")


def _nal(header: int, payload: bytes) -> bytes:
    """With emulation prevention: no three bytes in it may look like a start code."""
    out, zeros = bytearray([header]), 0
    for byte in payload:
        if zeros == 2 and byte <= 3:  # noqa: PLR2004 - two zeros, and then a byte that would complete a start code
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _sps(columns: int, rows: int) -> bytes:
    bits = _Bits()
    for value in (66, 0xC0, _LEVEL):
        bits.u(value, 8)
    for value in (0, 0, 2, 1):  # id, frame numbers of 4 bits, order by decoding, one reference frame
        bits.ue(value)
    bits.u(0, 1)
    bits.ue(columns - 1)
    bits.ue(rows - 1)
    for flag in (1, 1, 0, 0):  # frames only, direct 8x8, no cropping, no usability information
        bits.u(flag, 1)
    return _nal(_NAL_SPS, bits.finished())


def _pps() -> bytes:
    bits = _Bits()
    for value in (0, 0):
        bits.ue(value)
    bits.u(0, 2)  # CAVLC, no bottom field order
    for value in (0, 0, 0):
        bits.ue(value)
    bits.u(0, 3)
    for value in (0, 0, 0):
        bits.ue(value)
    bits.u(1, 1)  # the deblocking filter can be turned off
    bits.u(0, 2)
    return _nal(_NAL_PPS, bits.finished())


def _slice_header(bits: _Bits, kind: int, frame: int) -> None:
    bits.ue(0)
    bits.ue(kind)
    bits.ue(0)
    bits.u(frame % 16, 4)


def _first(columns: int, rows: int, sample: bytes) -> bytes:
    bits = _Bits()
    _slice_header(bits, _SLICE_I_ALL, 0)
    bits.ue(0)  # picture id
    bits.u(0, 2)  # reference marking
    bits.ue(0)  # quantiser
    bits.ue(1)  # no deblocking
    for _ in range(columns * rows):
        bits.ue(_I_PCM)
        bits.align()
        bits.raw(sample)
    return _nal(_NAL_IDR, bits.finished())


def _repeat(columns: int, rows: int, frame: int) -> bytes:
    bits = _Bits()
    _slice_header(bits, _SLICE_P_ALL, frame)
    bits.u(0, 3)  # one reference, in its order; no marking
    bits.ue(0)
    bits.ue(1)
    bits.ue(columns * rows)  # every macroblock is skipped
    return _nal(_NAL_SLICE, bits.finished())


def _yuv(colour: Colour) -> tuple[int, int, int]:
    """BT.601, studio range; never 0, so that raw samples hold no start code."""
    red, green, blue = colour
    luma = 16 + (66 * red + 129 * green + 25 * blue) // 256
    return luma, 128 + (112 * blue - 38 * red - 74 * green) // 256, 128 + (112 * red - 94 * green - 18 * blue) // 256


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full(kind: bytes, *parts: bytes, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)


def _sample_description(width: int, height: int, sps: bytes, pps: bytes) -> bytes:
    configuration = b"\x01" + sps[1:4] + b"\xff\xe1" + struct.pack(">H", len(sps)) + sps
    configuration += b"\x01" + struct.pack(">H", len(pps)) + pps
    entry = (
        bytes(6) + struct.pack(">H", 1) + bytes(16) + struct.pack(">HHIIIH", width, height, 0x480000, 0x480000, 0, 1)
    )
    avc = _box(b"avc1", entry, bytes(32), struct.pack(">Hh", 24, -1), _box(b"avcC", configuration))
    return _full(b"stsd", struct.pack(">I", 1), avc)


def _track(width: int, height: int, sizes: list[int], description: bytes, offset: int) -> bytes:
    count = len(sizes)
    step = _TIMESCALE // FRAMES_PER_SECOND
    duration = count * step
    table = _box(
        b"stbl",
        description,
        _full(b"stts", struct.pack(">III", 1, count, step)),
        _full(b"stss", struct.pack(">II", 1, 1)),
        _full(b"stsc", struct.pack(">IIII", 1, 1, count, 1)),
        _full(b"stsz", struct.pack(">II", 0, count), struct.pack(f">{count}I", *sizes)),
        _full(b"stco", struct.pack(">II", 1, offset)),
    )
    data = _box(b"dinf", _full(b"dref", struct.pack(">I", 1), _full(b"url ", flags=1)))
    media = _box(
        b"mdia",
        _full(b"mdhd", struct.pack(">IIIIHH", 0, 0, _TIMESCALE, duration, 0x55C4, 0)),
        _full(b"hdlr", struct.pack(">I4s", 0, b"vide"), bytes(12), b"video\0"),
        _box(b"minf", _full(b"vmhd", bytes(8), flags=1), data, table),
    )
    header = struct.pack(">IIIII", 0, 0, 1, 0, duration) + bytes(16) + _IDENTITY
    return _box(b"trak", _full(b"tkhd", header, struct.pack(">II", width << 16, height << 16), flags=3), media)


def mp4(width: int, height: int, seconds: float, colour: Colour) -> bytes:
    """A playable clip; both edges in pixels are rounded to multiples of 16."""
    columns, rows = max(1, round(width / _BLOCK)), max(1, round(height / _BLOCK))
    width, height = columns * _BLOCK, rows * _BLOCK
    luma, blue, red = _yuv(colour)
    sample = bytes([luma]) * 256 + bytes([blue]) * 64 + bytes([red]) * 64
    count = max(1, round(seconds * FRAMES_PER_SECOND))
    nals = [_first(columns, rows, sample), *(_repeat(columns, rows, frame) for frame in range(1, count))]
    samples = [struct.pack(">I", len(nal)) + nal for nal in nals]
    brand = _box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2avc1mp41")
    payload = _box(b"mdat", *samples)
    description = _sample_description(width, height, _sps(columns, rows), _pps())
    track = _track(width, height, [len(each) for each in samples], description, len(brand) + 8)
    duration = count * _TIMESCALE // FRAMES_PER_SECOND
    header = struct.pack(">IIIIIH", 0, 0, _TIMESCALE, duration, 0x10000, 0x100) + bytes(10) + _IDENTITY + bytes(24)
    movie = _box(b"moov", _full(b"mvhd", header, struct.pack(">I", 2)), track)
    return brand + payload + movie
