from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.vocabulary.redaction import MARK, redact

SECRET = "not-a-real-key-0123456789"

secrets = st.text(st.sampled_from("abcDEF0123-_:"), min_size=8, max_size=30)


def windows(secret: str) -> set[str]:
    return {secret[at : at + 8] for at in range(len(secret) - 7)}


@settings(deadline=None, max_examples=40)
@given(data=st.data(), known=st.lists(secrets, min_size=1, max_size=4))
def test_no_eight_characters_of_any_secret_survive(data: st.DataObject, known: list[str]) -> None:
    piece = st.sampled_from(known).flatmap(
        lambda secret: st.tuples(st.integers(0, len(secret)), st.integers(0, len(secret))).map(
            lambda cut: secret[min(cut) : max(cut)]
        )
    )
    text = "".join(data.draw(st.lists(piece | st.text(max_size=12), max_size=8)))
    clean = redact(text, known)
    assert not any(window in clean for secret in known for window in windows(secret))


@pytest.mark.parametrize("secret", ["redacted", "[redacted]", "x[redacted]y", "edacted]edacted]", "********"])
def test_a_secret_made_of_our_own_mark_does_not_survive_either(secret: str) -> None:
    clean = redact(f"before {secret} after, and x[redacted]y", [secret])
    assert not any(window in clean for window in windows(secret))


def test_the_words_around_a_secret_are_kept() -> None:
    assert redact(f"key {SECRET} is wrong", [SECRET]) == f"key {MARK} is wrong"


def test_a_secret_at_either_end_is_found() -> None:
    assert redact(f"{SECRET} and {SECRET}", [SECRET]) == f"{MARK} and {MARK}"


def test_a_masked_echo_loses_both_of_its_ends() -> None:
    assert redact(f"got {SECRET[:9]}...{SECRET[-8:]}!", [SECRET]) == f"got {MARK}...{MARK}!"


def test_seven_characters_in_common_are_a_coincidence() -> None:
    assert redact(f"a {SECRET[3:10]} b", [SECRET]) == f"a {SECRET[3:10]} b"


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Incorrect API key provided: sk-fake*****wxyz.", f"Incorrect API key provided: {MARK}"),
        ("token sk_00fake00fake was used", f"token {MARK} was used"),
        ("Authorization: Bearer fake-token-1234", f"Authorization: Bearer {MARK}"),
        ("authorization: bearer abc****xyz, retry", f"authorization: bearer {MARK}, retry"),
        ("Authorization: Key fake-id-1:fake-secret-1 sent", f"Authorization: Key {MARK} sent"),
        ("{'xi-api-key': 'fakefake', 'a': 1}", f"{{'xi-api-key': '{MARK}', 'a': 1}}"),
        ("x-goog-api-key=fakefake&x", f"x-goog-api-key={MARK}"),
        ("jwt eyJhbGciOiJub25l.eyJpc3MiOiJmYWtl.c2ln done", f"jwt {MARK} done"),
    ],
)
def test_what_looks_like_a_key_is_redacted_without_being_known(text: str, clean: str) -> None:
    assert redact(text, []) == clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Rate limit reached for gpt-4o-mini-tts in organization on requests per min. Try again in 12s.",
        "the bearer of bad news asked for a task-oriented, risk-averse answer",
        "bearer authentication is required",
        "invalid key: must be a string",
        "scikit, sk-learn and disk_usage are words",
        "prompt was flagged by the safety system: request id req_9876543210fedcba",
    ],
)
def test_ordinary_words_are_left_alone(text: str) -> None:
    assert redact(text, [SECRET]) == text


@settings(deadline=None, max_examples=40)
@given(text=st.text(), known=st.lists(secrets, max_size=3))
def test_redacting_twice_changes_nothing_more(text: str, known: list[str]) -> None:
    once = redact(text, known)
    assert redact(once, known) == once
