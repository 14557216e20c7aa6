"""What `frozen` makes behaves as the standard library's frozen dataclass would, but for refusing assignments."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field, fields, replace

import pytest

from mediarelay.vocabulary.frozen import frozen


@frozen
class Pause:
    """Of one key."""

    key: str
    seconds: float = 1.0
    secret: str = field(default="s3cret", repr=False)
    seen_at: float = field(default=0.0, compare=False)


@frozen
class NamedPause(Pause):
    """With one more field."""

    name: str = "none"


class Longer(Pause):
    """Undecorated, with a text of its own."""

    def __repr__(self) -> str:
        return "longer " + super().__repr__()


@frozen
class Worded:
    """Prints what it likes."""

    text: str

    def __repr__(self) -> str:
        return "worded"


@frozen
class Pair:
    """For the comparison with the standard library's."""

    left: int
    right: tuple[int, ...] = ()


Ours = Pair


@dataclass(frozen=True, slots=True)
class Pair:  # type: ignore[no-redef]  # the same name, so that they print alike
    """The standard library's."""

    left: int
    right: tuple[int, ...] = ()


def test_it_compares_hashes_and_prints_as_the_standard_library_s_does() -> None:
    ours, theirs = Ours(1, (2,)), Pair(1, (2,))
    assert (repr(ours), hash(ours)) == (repr(theirs), hash(theirs))
    assert ours == Ours(1, (2,))
    assert ours != Ours(1, (3,))
    assert ours != theirs


def test_each_of_the_three_may_be_the_first_that_is_asked_for() -> None:
    def fresh() -> type[Ours]:
        return frozen(type("Fresh", (), {"__annotations__": {"a": "int"}}))

    one, two, three = fresh(), fresh(), fresh()
    assert one(1) == one(1)
    assert len({two(1), two(1), two(2)}) == 2
    assert repr(three(1)).endswith("Fresh(a=1)")


def test_a_field_that_is_not_compared_or_printed_stays_out_of_both() -> None:
    assert Pause("a", seen_at=1.0) == Pause("a", seen_at=2.0)
    assert hash(Pause("a", seen_at=1.0)) == hash(Pause("a", seen_at=2.0))
    assert repr(Pause("a")) == "Pause(key='a', seconds=1.0, seen_at=0.0)"


def test_values_of_two_classes_are_never_equal() -> None:
    assert NamedPause("a") != Pause("a")
    assert Pause("a") != NamedPause("a")
    assert NamedPause("a") != NamedPause("a", name="b")
    assert NamedPause("a") == NamedPause("a")


def test_a_text_of_its_own_is_kept_in_the_class_and_in_one_that_extends_it() -> None:
    assert (repr(Worded("a")), Worded("a") == Worded("a")) == ("worded", True)
    assert repr(Longer("a")) == "longer Longer(key='a', seconds=1.0, seen_at=0.0)"
    assert Longer("a") == Longer("a")
    assert repr(Longer("a")).startswith("longer")


def test_the_library_s_functions_take_it() -> None:
    pause = Pause("a", seen_at=3.0)
    assert replace(pause, seconds=2.0) == Pause("a", 2.0)
    assert [one.name for one in fields(pause)] == ["key", "seconds", "secret", "seen_at"]
    assert copy.copy(pause) == pause == pickle.loads(pickle.dumps(pause))  # noqa: S301 # our own


def test_it_has_slots() -> None:
    with pytest.raises(AttributeError):
        Pause("a").other = 1  # type: ignore[attr-defined]
