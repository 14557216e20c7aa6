from __future__ import annotations

import io
import json
from collections.abc import Sequence

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.audio.times import Span, grouped, in_order, joined, read, written


def characters(text: str, *, each: float = 0.1, since: float = 0.0) -> list[Span]:
    """A vendor's answer that tells the time of each character."""
    return [Span(one, since + at * each, since + (at + 1) * each) for at, one in enumerate(text)]


def texts(spans: Sequence[Span]) -> list[str]:
    return [span.text for span in spans]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello", ["hello"]),
        (" Hello,  dear\nworld! ", ["Hello,", "dear", "world!"]),
        ("It costs 3.50, doesn't it?", ["It", "costs", "3.50,", "doesn't", "it?"]),
        ("\u4f60\u597d\uff0c\u4e16\u754c\u3002", ["\u4f60", "\u597d\uff0c", "\u4e16", "\u754c\u3002"]),
        ("   ", []),
        ("", []),
    ],
)
def test_characters_become_words(text: str, words: list[str]) -> None:
    assert texts(grouped(characters(text), "word")) == words


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith paid 3.50. J. Doe did not.", ["Dr. Smith paid 3.50.", "J. Doe did not."]),
        ('"Go!" she said. (He went.) And then', ['"Go!"', "she said.", "(He went.)", "And then"]),
        ("One\u2026 two", ["One\u2026", "two"]),
        ("\u4f60\u597d\u3002\u4e16\u754c\uff01", ["\u4f60\u597d\u3002", "\u4e16\u754c\uff01"]),
        ("no end", ["no end"]),
    ],
)
def test_characters_become_sentences(text: str, sentences: list[str]) -> None:
    assert texts(grouped(characters(text), "sentence")) == sentences


@pytest.mark.parametrize("unit", ["word", "sentence"])
@pytest.mark.parametrize("text", ["a" * 40_000, "and then, " * 4_000, "\u4f60\u597d\uff0c" * 13_000, ". " * 20_000])
def test_the_longest_texts_are_grouped_whatever_they_are(text: str, unit: str) -> None:
    assert "".join(texts(grouped(characters(text), unit))).replace(" ", "") == text.replace(" ", "")


def test_white_space_of_any_length_ends_what_it_follows() -> None:
    assert texts(grouped(characters("One." + " " * 200 + "Two"), "sentence")) == ["One.", "Two"]
    assert texts(grouped(characters("One" + " " * 200 + "two"), "word")) == ["One", "two"]


def test_a_span_begins_and_ends_with_what_is_heard_of_it() -> None:
    first, second = grouped(characters("ab  cd. "), "word")
    assert (first.start, first.end) == (0.0, pytest.approx(0.2))
    assert (second.start, second.end) == (pytest.approx(0.4), pytest.approx(0.7))
    (sentence,) = grouped(characters(" ab  cd. "), "sentence")
    assert (sentence.start, sentence.end) == (pytest.approx(0.1), pytest.approx(0.8))


def test_words_with_what_follows_them_become_sentences_too() -> None:
    pieces = [Span("Hello, ", 0.0, 0.3), Span("you. ", 0.4, 0.6), Span("Bye", 1.0, 1.2)]
    assert grouped(pieces, "sentence") == [Span("Hello, you.", 0.0, 0.6), Span("Bye", 1.0, 1.2)]
    assert texts(grouped(pieces, "word")) == ["Hello,", "you.", "Bye"]


@given(st.text(alphabet="ab. !?\u3002\n", max_size=60), st.sampled_from(["word", "sentence"]))
def test_no_letter_is_lost_or_added(text: str, unit: str) -> None:
    assert "".join("".join(texts(grouped(characters(text), unit))).split()) == "".join(text.split())


def test_times_never_go_backwards() -> None:
    spans = in_order([Span("a", 1.0, 2.0), Span("b", 0.5, 0.7), Span("c", 3.0, 2.0)])
    assert spans == [Span("a", 1.0, 2.0), Span("b", 1.0, 1.0), Span("c", 3.0, 3.0)]


def test_each_part_begins_where_those_before_it_end() -> None:
    parts = [[Span("a", 0.0, 0.5)], [], [Span("b", 0.25, 0.5), Span("c", 0.5, 1.0)]]
    whole = joined(parts, [1.0, 0.5, 2.0])
    assert whole == [Span("a", 0.0, 0.5), Span("b", 1.75, 2.0), Span("c", 2.0, 2.5)]


@given(st.lists(st.tuples(st.integers(1, 8), st.floats(0.5, 100)), min_size=1, max_size=6))
def test_a_joined_text_has_every_word_within_its_part(parts: list[tuple[int, float]]) -> None:
    spans = [
        [Span("x", at * length / count, (at + 1) * length / count) for at in range(count)] for count, length in parts
    ]
    whole, begins = joined(spans, [length for _, length in parts]), 0.0
    for count, length in parts:
        mine, whole = whole[:count], whole[count:]
        assert mine[0].start == pytest.approx(begins)
        begins += length
        assert mine[-1].end == pytest.approx(begins)
    assert whole == []


def test_what_is_written_as_json_is_read_again() -> None:
    spans = [Span("caf\u00e9 <b>", 0.0, 0.1234), Span("\u4f60", 3599.9996, 3723.5)]
    data = written(spans, "word")["json"]
    assert json.loads(data)["unit"] == "word"
    assert read(data) == [Span("caf\u00e9 <b>", 0.0, 0.123), Span("\u4f60", 3600.0, 3723.5)]


@pytest.mark.parametrize("format_", ["srt", "vtt"])
def test_players_read_the_cues_as_they_were_meant(format_: str) -> None:
    spans = [Span("Hello, you.", 0.006, 1.5), Span("a < b & c --> d", 2.0, 2.25), Span("Later", 3723.5, 3724.0)]
    with av.open(
        io.BytesIO(written(spans, "sentence")[format_]), format={"vtt": "webvtt"}.get(format_, format_)
    ) as file:
        (stream,) = file.streams
        cues = [packet for packet in file.demux(stream) if packet.size]
        read_back = [(float(cue.pts * cue.time_base), float(cue.duration * cue.time_base), bytes(cue)) for cue in cues]
    assert [(start, round(start + length, 3)) for start, length, _ in read_back] == [
        (0.006, 1.5),
        (2.0, 2.25),
        (3723.5, 3724.0),
    ]
    shown = [text.decode().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for *_, text in read_back]
    assert shown == [span.text for span in spans]


@given(st.lists(st.builds(Span, st.text(max_size=9), st.floats(0, 1e300), st.floats(0, 1e300)), max_size=9))
def test_whatever_a_vendor_says_can_be_written(spans: list[Span]) -> None:
    for unit in ("word", "sentence"):
        files = written(grouped(spans, unit), unit)
        assert len(read(files["json"])) == len(grouped(spans, unit))


def test_half_a_character_spoils_no_file() -> None:
    files = written([Span("a\ud800b", 0.0, 1.0)], "word")
    assert [span.text for span in read(files["json"])] == ["a?b"]
    assert b"a?b" in files["srt"]


def test_no_words_are_empty_files() -> None:
    files = written([], "word")
    assert (read(files["json"]), files["srt"], files["vtt"]) == ([], b"", b"WEBVTT\n")
