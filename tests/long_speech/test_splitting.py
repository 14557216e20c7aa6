# ruff: noqa: RUF001 # scripts beside Latin are the point
"""Any text in any script: its parts are the text, each is within the limits, and nothing that is whole is torn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.long_speech.segmenting import sentence_ends
from mediarelay.long_speech.splitting import split, text_limits, within

CHINESE = "这是一个测试，那是另一个。"
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
PIECES = st.sampled_from(
    [
        *("Dr. Smith paid $3,500.50 at 5 p.m. ", "Why? ", "Well, then; go on: now ", "word ", "supercalifragilistic "),
        *('<break time="1.5s"/>', " <#0.7#> ", "[pause] ", "1 000 000 ", "12:30 ", "...", "\n\n", "  ", "-"),
        *(CHINESE, "ภาษาไทย", "日本語です。", "مرحبا، كيف؟ ", FAMILY, "e\u0301", "\u200d", "👍🏽", "\x00", "𝒳"),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=5)), min_size=1, max_size=60).map("".join)
LIMITS = st.fixed_dictionaries(
    {"text_characters": st.integers(1, 200)},
    optional={"text_bytes": st.integers(4, 200), "text_tokens": st.integers(2, 100)},
)


def squeezed(text: str) -> str:
    return "".join(text.split())


def parts(text: str, limits: dict[str, int]) -> list[str]:
    return [text[start:end] for start, end in split(text, limits, sentence_ends(text, "en"))]


@given(TEXTS, LIMITS)
def test_parts_are_the_text_and_within_the_limits(text: str, limits: dict[str, int]) -> None:
    made = parts(text, limits)
    assert squeezed("".join(made)) == squeezed(text)
    assert all(within(part, limits) for part in made)
    assert all(part == part.strip() != "" for part in made)


@given(TEXTS, LIMITS, st.lists(st.integers(-3, 500)))
def test_spans_follow_one_another_whatever_is_said_of_sentences(
    text: str, limits: dict[str, int], ends: list[int]
) -> None:
    spans = split(text, limits, ends)
    flat = [place for span in spans for place in span]
    assert flat == sorted(flat)
    assert all(start < end for start, end in spans)


@given(TEXTS)
def test_numbers_and_tags_stay_whole_where_a_part_has_room_for_them(text: str) -> None:
    made = " ".join(parts(text, {"text_characters": 40}))
    for whole in re.findall(r'<break time="1.5s"/>|<#0.7#>|\[pause\]|\$3,500\.50|12:30', text):
        assert whole in made


@pytest.mark.parametrize(
    ("text", "limit", "made"),
    [
        ("One two. Three four. Five.", 21, ["One two. Three four.", "Five."]),
        ("One two three, four five six", 20, ["One two three,", "four five six"]),
        ("It costs 1,000,000 dollars", 14, ["It costs", "1,000,000", "dollars"]),
        ("Mr. Smith went. He left.", 16, ["Mr. Smith went.", "He left."]),
        ('Wait <break time="1s"/> now', 12, ["Wait", "<break time=", '"1s"/> now']),
        ("a" * 10, 4, ["aaaa", "aaaa", "aa"]),
        (CHINESE * 2, 8, ["这是一个测试，", "那是另一个。", "这是一个测试，", "那是另一个。"]),
        ("日本語日本語", 4, ["日本語日", "本語"]),
        (FAMILY * 3, 6, [FAMILY] * 3),
    ],
)
def test_it_is_cut_where_it_is_heard_least(text: str, limit: int, made: list[str]) -> None:
    assert parts(text, {"text_characters": limit}) == made


@pytest.mark.parametrize("text", ["a" * 100_000, CHINESE * 7_700, "ไ" * 100_000, "1.2" * 33_333, "." * 100_000])
def test_the_longest_texts_are_split_whatever_they_are(text: str) -> None:
    made = parts(text, text_limits({"text_characters": 4096, "text_bytes": 5000}))
    assert "".join(made) == text
    assert max(map(len, made)) <= 4096
    assert max(len(part.encode()) for part in made) <= 5000
    assert len(made) < 80


def test_a_part_is_no_longer_than_what_one_call_may_cost() -> None:
    assert text_limits({}) == text_limits({"text_characters": 40_000, "n": 4}) == {"text_characters": 4000}
    assert text_limits({"text_characters": 200, "text_tokens": 2000}) == {"text_characters": 200, "text_tokens": 2000}


def test_tokens_are_never_underrated_for_scripts_that_take_many() -> None:
    assert within("word " * 700, {"text_tokens": 2000})
    assert not within("字" * 2000, {"text_tokens": 2000})
