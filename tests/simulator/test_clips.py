"""The clips are MP4 files around H.264, read here by the formats' own rules."""

import struct
from collections.abc import Iterator

import pytest

from tools.simulator.media.mp4 import FRAMES_PER_SECOND, mp4

RED = (200, 40, 90)
CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf"}


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, bytes, int]]:
    """Kind, content and position of each box, those within containers too."""
    at, end = start, len(data) if end is None else end
    while at < end:
        size, kind = struct.unpack_from(">I4s", data, at)
        assert size >= 8
        assert at + size <= end, f"{kind!r} reaches beyond its container"
        yield kind, data[at + 8 : at + size], at
        if kind in CONTAINERS:
            yield from boxes(data, at + 8, at + size)
        at += size
    assert at == end


@pytest.fixture(scope="module")
def clip() -> bytes:
    return mp4(320, 192, 5.0, RED)


@pytest.fixture(scope="module")
def found(clip: bytes) -> dict[bytes, bytes]:
    return {kind: content for kind, content, _ in boxes(clip)}


def test_it_has_all_that_a_player_looks_for(clip: bytes, found: dict[bytes, bytes]) -> None:
    assert [kind for kind, _, _ in boxes(clip)][:2] == [b"ftyp", b"mdat"]
    assert {b"mvhd", b"tkhd", b"mdhd", b"hdlr", b"stsd", b"stts", b"stss", b"stsc", b"stsz", b"stco"} <= found.keys()


def test_it_is_as_long_and_as_large_as_it_was_asked_to_be(found: dict[bytes, bytes]) -> None:
    scale, duration = struct.unpack_from(">II", found[b"mvhd"], 12)
    width, height = struct.unpack_from(">II", found[b"tkhd"], 76)
    assert (duration / scale, width >> 16, height >> 16) == (5.0, 320, 192)


def test_its_samples_fill_the_data_and_are_one_unit_each(clip: bytes, found: dict[bytes, bytes]) -> None:
    count = struct.unpack_from(">II", found[b"stsz"], 4)[1]
    sizes = struct.unpack_from(f">{count}I", found[b"stsz"], 12)
    (offset,) = struct.unpack_from(">I", found[b"stco"], 8)
    assert count == 5 * FRAMES_PER_SECOND
    assert sum(sizes) == len(found[b"mdat"])
    kinds = []
    for size in sizes:
        (length,) = struct.unpack_from(">I", clip, offset)
        assert length == size - 4
        kinds.append(clip[offset + 4] & 0x1F)
        offset += size
    assert kinds == [5] + [1] * (count - 1), "one picture by itself, then pictures that refer to it"


def test_no_unit_holds_a_start_code(clip: bytes, found: dict[bytes, bytes]) -> None:
    assert found[b"stsd"].partition(b"avcC")[2][:4] == b"\x01\x42\xc0\x28"
    (offset,) = struct.unpack_from(">I", found[b"stco"], 8)
    for size in struct.unpack_from(f">{5 * FRAMES_PER_SECOND}I", found[b"stsz"], 12):
        unit = clip[offset + 4 : offset + size]
        assert not any(code in unit for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))
        offset += size


def test_colours_make_different_clips() -> None:
    assert mp4(64, 64, 1.0, RED) != mp4(64, 64, 1.0, (40, 200, 90))


@pytest.mark.parametrize(("asked", "made"), [((1, 1), (16, 16)), ((100, 50), (96, 48))])
def test_edges_are_rounded_to_whole_blocks(asked: tuple[int, int], made: tuple[int, int]) -> None:
    header = {kind: content for kind, content, _ in boxes(mp4(*asked, 0.2, RED))}[b"tkhd"]
    assert tuple(edge >> 16 for edge in struct.unpack_from(">II", header, 76)) == made
