"""Clips and sounds of a given length, kept, and served in whole or from an offset on."""

from __future__ import annotations

import re
from functools import lru_cache

from tools.simulator.wire import Call, Reply

from . import catalogue
from .colour import PALETTE_SIZE
from .mp4 import mp4

# The name says what is in the file: <anything>_<tenths of a second>_<seed>[_<samples per second>].<suffix>
FILE = re.compile(
    r"files/[0-9a-f]{8,32}_(?P<tenths>\d{1,4})_(?P<seed>\d+)(?:_(?P<rate>\d{4,5}))?\.(?P<suffix>mp4|wav|mp3|flac|pcm)"
)
_TYPES = {"mp4": "video/mp4", **catalogue.AUDIO_TYPES}
_USUAL_RATE = 16000
_RANGE = re.compile(r"bytes=(\d+)-")


def file_name(token: str, seconds: float, seed: int, suffix: str, rate: int = _USUAL_RATE) -> str:
    """A name under which `content` is served; `rate` in Hz matters to sounds alone."""
    sampled = "" if rate == _USUAL_RATE else f"_{rate}"
    return f"files/{token}_{round(seconds * 10)}_{seed % PALETTE_SIZE}{sampled}.{suffix}"


@lru_cache(maxsize=64)
def content(suffix: str, tenths: int, seed: int, rate: int) -> bytes:
    """A playable file."""
    if suffix == "mp4":
        return mp4(tenths, seed)
    return catalogue.sound(tenths / 10, suffix, rate, seed=seed)


def serve(call: Call) -> Reply:
    """The file the path names; resumable, as media hosts are."""
    rate = int(call.path["rate"] or _USUAL_RATE)
    body = content(call.path["suffix"], int(call.path["tenths"]), int(call.path["seed"]), rate)
    tag = f'"{call.path["suffix"]}-{call.path["tenths"]}-{call.path["seed"]}-{rate}"'
    headers = {"etag": tag, "accept-ranges": "bytes"}
    kind = _TYPES[call.path["suffix"]]
    wanted = _RANGE.fullmatch(call.headers.get("range", ""))
    if wanted and call.headers.get("if-range", tag) == tag and int(wanted[1]) < len(body):
        start = int(wanted[1])
        told = {"content-range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return Reply(206, body[start:], kind, headers=headers | told)
    return Reply(200, body, kind, headers=headers)
