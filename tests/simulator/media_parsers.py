"""Small readers of media formats, written from the formats' specifications and not from the encoders under test."""

import struct
import zlib
from collections.abc import Iterator

_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000)}
_MP3_KBPS = {
    3: (None, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (None, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def crc(data: bytes, polynomial: int, width: int) -> int:
    """Bit by bit, most significant first, starting from zero."""
    value = 0
    for byte in data:
        value ^= byte << (width - 8)
        for _ in range(8):
            value = (value << 1) ^ polynomial if value >> (width - 1) & 1 else value << 1
            value &= (1 << width) - 1
    return value


def mp3_seconds(data: bytes) -> tuple[float, int, int]:
    """Duration, rate in Hz and average bit rate in kbit/s; fails on anything that is not a whole frame."""
    at, seconds, rate = 0, 0.0, 0
    while at < len(data):
        word = int.from_bytes(data[at : at + 4], "big")
        version, layer = word >> 19 & 3, word >> 17 & 3
        assert word >> 21 == 0x7FF, f"no sync at {at}"
        assert layer == 1
        rate = _MP3_RATES[version][word >> 10 & 3]
        kbps = _MP3_KBPS[version][word >> 12 & 15]
        samples = 1152 if version == 3 else 576
        at += samples * kbps * 125 // rate + (word >> 9 & 1)
        seconds += samples / rate
    assert at == len(data), "the last frame is cut"
    return seconds, rate, round(len(data) * 8 / seconds / 1000)


def adts_seconds(data: bytes) -> tuple[float, int]:
    at, frames, rate = 0, 0, 0
    while at < len(data):
        word = int.from_bytes(data[at : at + 7], "big")
        assert word >> 44 == 0xFFF
        rate = {3: 48000, 4: 44100, 6: 24000}[word >> 34 & 15]
        at += word >> 13 & 0x1FFF
        frames += 1
    assert at == len(data)
    return frames * 1024 / rate, rate


def ogg_pages(data: bytes) -> Iterator[tuple[int, int, list[bytes]]]:
    """Flags, granule position and packets of each page, with checksums verified."""
    at = number = 0
    while at < len(data):
        magic, version, flags, granule, _serial, sequence, checksum, segments = struct.unpack_from(
            "<4sBBQIIIB", data, at
        )
        assert (magic, version, sequence) == (b"OggS", 0, number)
        sizes = data[at + 27 : at + 27 + segments]
        end = at + 27 + segments + sum(sizes)
        page = data[at:end]
        assert crc(page[:22] + bytes(4) + page[26:], 0x04C11DB7, 32) == checksum
        start = 27 + segments
        packets = []
        for size in sizes:
            packets.append(page[start : start + size])
            start += size
        yield flags, granule, packets
        at, number = end, number + 1


def wav_parts(data: bytes) -> tuple[int, int, bytes]:
    """Rate, bits per sample and samples."""
    riff, size, wave, fmt, length, codec, channels, rate, _, _, bits = struct.unpack_from("<4sI4s4sIHHIIHH", data)
    assert (riff, size, wave, fmt, length, codec, channels) == (b"RIFF", len(data) - 8, b"WAVE", b"fmt ", 16, 1, 1)
    name, length = struct.unpack_from("<4sI", data, 36)
    assert (name, 44 + length) == (b"data", len(data))
    return rate, bits, data[44:]


def flac_parts(data: bytes) -> tuple[int, int, bytes, list[bytes]]:
    """Rate, total samples, MD5 and the frames, whose checksums are verified. Verbatim 16-bit mono only."""
    assert data[:5] == b"fLaC\x80"
    info = data[8:42]
    packed = int.from_bytes(info[10:18], "big")
    rate, total = packed >> 44, packed & (1 << 36) - 1
    block = int.from_bytes(info[:2], "big")
    frames, at, number = [], 42, 0
    while at < len(data):
        coded = chr(number).encode()
        header = data[at : at + 4 + len(coded) + 2]
        assert header[:2] == b"\xff\xf8"
        assert header[4:-2] == coded
        assert int.from_bytes(header[-2:], "big") + 1 == block
        assert data[at + len(header)] == crc(header, 0x07, 8)
        size = len(header) + 2 + 2 * block
        frame = data[at : at + size]
        assert int.from_bytes(data[at + size : at + size + 2], "big") == crc(frame, 0x8005, 16)
        frames.append(frame[len(header) + 2 :])
        at, number = at + size + 2, number + 1
    return rate, total, info[18:34], frames


def png_pixels(data: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and unfiltered rows of an 8-bit RGB picture."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, colour) == (8, 2)
    raw = zlib.decompress(chunks[b"IDAT"])
    stride = 3 * width + 1
    assert len(raw) == stride * height
    rows, above = [], bytes(3 * width)
    for start in range(0, len(raw), stride):
        row = raw[start + 1 : start + stride]
        if raw[start] == 2:
            row = bytes((a + b) % 256 for a, b in zip(row, above, strict=True))
        rows.append(row)
        above = row
    return width, height, rows


def webp_parts(data: bytes) -> tuple[int, int, tuple[int, ...]]:
    """Width, height and the symbols (green, red, blue, alpha, distance) of a one-colour VP8L picture."""
    assert data[:4] == b"RIFF"
    assert data[8:16] == b"WEBPVP8L"
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    length = struct.unpack_from("<I", data, 16)[0]
    assert data[20] == 0x2F
    bits = int.from_bytes(data[21 : 20 + length], "little")
    taken = 0

    def take(count: int) -> int:
        nonlocal taken
        value = bits >> taken & (1 << count) - 1
        taken += count
        return value

    width, height = take(14) + 1, take(14) + 1
    assert take(1) + take(3) + take(1) + take(1) + take(1) == 0
    symbols = []
    for _ in range(5):
        assert (take(1), take(1), take(1)) == (1, 0, 1)
        symbols.append(take(8))
    return width, height, tuple(symbols)


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._text = "".join(f"{byte:08b}" for byte in data.replace(b"\xff\x00", b"\xff"))
        self._at = 0

    def take(self, count: int) -> str:
        assert self._at + count <= len(self._text), "the scan ends too early"
        self._at += count
        return self._text[self._at - count : self._at]

    def symbol(self, table: dict[str, int]) -> int:
        code = self.take(1)
        while code not in table:
            code += self.take(1)
        return table[code]

    def rest(self) -> str:
        return self._text[self._at :]


def _huffman(segment: bytes) -> dict[str, int]:
    table, code, at = {}, 0, 17
    for length, count in enumerate(segment[1:17], start=1):
        for _ in range(count):
            table[f"{code:0{length}b}"] = segment[at]
            code, at = code + 1, at + 1
        code <<= 1
    return table


def jpeg_blocks(data: bytes) -> tuple[int, int, list[tuple[int, int, int]]]:
    """Width, height and mean Y, Cb and Cr of each 8 by 8 block, by decoding the scan to its last bit."""
    assert data[:2] == b"\xff\xd8"
    at, tables, width, height = 2, {}, 0, 0
    while True:
        marker, length = struct.unpack_from(">HH", data, at)
        body = data[at + 4 : at + 2 + length]
        at += 2 + length
        if marker == 0xFFC4:
            tables[body[0]] = _huffman(body)
        elif marker == 0xFFC0:
            height, width = struct.unpack_from(">HH", body, 1)
        elif marker == 0xFFDB:
            assert set(body[1:]) == {8}
        elif marker == 0xFFDA:
            break
    assert data[-2:] == b"\xff\xd9"
    bits, means, blocks = _Bits(data[at:-2]), [128, 128, 128], []
    for _ in range(-(-width // 8) * -(-height // 8)):
        for part in range(3):
            size = bits.symbol(tables[0x00])
            value = bits.take(size) if size else ""
            means[part] += 0 if not size else int(value, 2) if value[0] == "1" else int(value, 2) - (1 << size) + 1
            assert bits.symbol(tables[0x10]) == 0, "only end of block is expected"
        blocks.append(tuple(means))
    assert set(bits.rest()) <= {"1"}
    assert len(bits.rest()) < 8
    return width, height, blocks
