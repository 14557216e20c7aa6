"""Read the header of a WAV file, and correct the sizes in it: a vendor that streams does not know them yet.

RIFF (Microsoft): "RIFF", size, "WAVE", then chunks of a name, a size and a body that is padded to whole words. Samples
are the body of "data". OpenAI streams 0xFFFFFFFF for both sizes, others stream 0 or half of that.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_RIFF_BYTES: Final = 12
_CHUNK: Final = struct.Struct("<4sI")
_SIZE: Final = struct.Struct("<I")
_FORMAT: Final = struct.Struct("<HHIIHH")
_LARGEST: Final = 0xFFFF_FFFF
# Chunks before the samples (names, dates, padding) are short; of samples that begin farther back nothing is known.
HEADER_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a header says.

    Attributes:
        data_at: Where the samples begin; None when no chunk of samples was found.
        data_bytes: How long they are by the header.
        byte_rate: Bytes of a second; 0 when it isn't said.
    """

    data_at: int | None
    data_bytes: int
    byte_rate: int

    def sound_bytes(self, size: int) -> int:
        """Returns how many bytes of samples a file of that size has."""
        return 0 if self.data_at is None else max(0, min(self.data_bytes, size - self.data_at))


def read_header(head: bytes, size: int) -> WavHeader:
    """Returns what the first `HEADER_BYTES` of a WAV file of that size say, with the samples' size as it really is."""
    at, byte_rate = _RIFF_BYTES, 0
    while at + _CHUNK.size <= len(head):
        name, length = _CHUNK.unpack_from(head, at)
        body = at + _CHUNK.size
        if name == b"data":
            # What is behind samples of a known size are other chunks; behind those of none there are only samples.
            known = 0 < length <= size - body
            return WavHeader(body, length if known else size - body, byte_rate)
        if name == b"fmt " and body + _FORMAT.size <= len(head):
            byte_rate = _FORMAT.unpack_from(head, body)[3]
        at = body + length + length % 2
    return WavHeader(None, 0, byte_rate)


def patches(head: bytes, size: int) -> list[tuple[int, bytes]]:
    """Returns what is to be written where, so that the sizes in the header of a file of that size are right."""
    header = read_header(head, size)
    wanted = [(4, size - 8)]
    if header.data_at is not None:
        wanted.append((header.data_at - 4, header.data_bytes))
    right = [(at, _SIZE.pack(min(length, _LARGEST))) for at, length in wanted]
    return [(at, data) for at, data in right if head[at : at + len(data)] != data]
