"""What we make, in the ears of others: libsndfile, and a build of FFmpeg that is not ours."""

from __future__ import annotations

import io
import subprocess

import imageio_ffmpeg
import numpy as np
import soundfile

RATE = 24_000
ADTS_SAMPLES = 1024


def adts_frames(data: bytes) -> int:
    """How many frames of AAC follow each other without a gap (ISO 13818-7: sync, and 13 bits of length from bit 30)."""
    at = count = 0
    while at < len(data):
        assert (data[at], data[at + 1] & 0xF6) == (0xFF, 0xF0)
        at += (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        count += 1
    assert at == len(data)
    return count


def heard(data: bytes, format_: str) -> tuple[float, int]:
    """Seconds and rate, decoded to the end by whoever did not make it."""
    if format_ == "pcm":
        return len(np.frombuffer(data, "<i2")) / RATE, RATE
    if format_ == "aac":
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "aac", "-i", "-", "-f", "s16le", "-"]
        done = subprocess.run(command, input=data, capture_output=True, check=True)
        assert done.stderr == b""
        assert len(done.stdout) // 2 == ADTS_SAMPLES * adts_frames(data)
        return len(done.stdout) / 2 / RATE, RATE
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    return len(samples) / rate, rate
