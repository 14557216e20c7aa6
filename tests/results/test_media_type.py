from __future__ import annotations

import pytest

from mediarelay.results.media_type import CONTENT_TYPES, mismatch, sniff

HEADS = {
    "mp3": [b"ID3\x04\x00", b"\xff\xfb\x90\x64", b"\xff\xf3\x40\xc0", b"\xff\xf2\x40\xc0"],
    "aac": [b"\xff\xf1\x50\x80", b"\xff\xf9\x50\x80"],
    "wav": [b"RIFF\xff\xff\xff\xffWAVEfmt "],
    "webp": [b"RIFF\x10\x00\x00\x00WEBPVP8 "],
    "opus": [b"OggS\x00\x02"],
    "flac": [b"fLaC\x00"],
    "png": [b"\x89PNG\r\n\x1a\n\x00\x00"],
    "jpeg": [b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\xff\xd8\xff\xdb"],
}
CASES = [(name, head) for name, heads in HEADS.items() for head in heads]
TEXTS = [b"<html><body>busy</body></html>", b'{"error": "x"}', b'\n  [{"a": 1}]', b"<?xml version='1.0'?>"]


@pytest.mark.parametrize(("name", "head"), CASES)
def test_a_format_is_told_by_its_first_bytes(name: str, head: bytes) -> None:
    assert sniff(head) == name
    assert mismatch(head, 1000, name) is None


@pytest.mark.parametrize(("name", "head"), CASES)
def test_no_other_format_passes_for_it(name: str, head: bytes) -> None:
    others = CONTENT_TYPES.keys() - {name, "pcm"}
    assert all(mismatch(head, 1000, other) == f"asked for {other}, got {name}" for other in others)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("expected", CONTENT_TYPES)
def test_a_document_is_never_media(expected: str, text: bytes) -> None:
    assert mismatch(text, len(text), expected) == f"asked for {expected}, got text"


@pytest.mark.parametrize("expected", CONTENT_TYPES)
def test_nothing_is_never_media(expected: str) -> None:
    assert mismatch(b"", 0, expected) == f"asked for {expected}, got an empty body"


@pytest.mark.parametrize("head", [b"RIFF", b"RIFF\x00\x00\x00\x00AVI ", b"\xff", b"\x00" * 64, b"\x89PNG"])
def test_unknown_and_cut_off_bytes_are_refused(head: bytes) -> None:
    assert mismatch(head, 1000, "wav") == "asked for wav, got unknown bytes"


def test_pcm_has_no_signature_and_is_counted_in_samples_of_two_bytes() -> None:
    assert mismatch(b"\x01\x02\x03\x04", 4, "pcm") is None
    assert mismatch(b"\x01\x02\x03", 3, "pcm") == "asked for 16-bit pcm, got an odd number of bytes"


def test_pcm_that_opens_like_text_but_is_not_passes() -> None:
    assert mismatch(b"{\x00<\x01" + bytes(range(60)), 64, "pcm") is None
