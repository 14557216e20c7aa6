from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediarelay.keys.parsing import CREDENTIALS, ApiKey, InvalidKeys, key_id, keys_from, parse_keys
from mediarelay.providers.credentials import ApiKeys, FunctionRole

plain_keys = st.text(st.sampled_from("abcxyz0189-_:"), min_size=1, max_size=20)


def plain(keys: tuple[ApiKey, ...]) -> list[str]:
    return [key.secret.get_secret_value() for key in keys]


def test_a_key_id_is_the_first_twelve_hex_of_its_sha256() -> None:
    assert key_id("fake-1") == sha256(b"fake-1").hexdigest()[:12]


def test_keys_are_separated_by_commas() -> None:
    keys = parse_keys("openai", "fake-1,fake-2")
    assert plain(keys) == ["fake-1", "fake-2"]
    assert [key.entry.key_id for key in keys] == [key_id("fake-1"), key_id("fake-2")]
    assert {key.entry.vendor for key in keys} == {"openai"}


def test_blanks_white_space_and_duplicates_are_dropped() -> None:
    assert plain(parse_keys("openai", " fake-1 ,, fake-2\n,fake-1, ")) == ["fake-1", "fake-2"]


def test_an_undeclared_account_is_the_key_itself() -> None:
    (key,) = parse_keys("openai", "fake-1")
    assert key.entry.account == key.entry.key_id


def test_a_json_list_carries_what_is_declared_and_mixes_with_plain_keys() -> None:
    text = '[{"key": "fake-1", "account": "acme", "weight": 2, "rpm": 60, "concurrency": 3}, " fake-2 ", ""]'
    first, second = parse_keys("fal", text)
    assert (first.entry.account, first.entry.weight, first.entry.rpm, first.entry.concurrency) == ("acme", 2, 60, 3)
    assert (second.entry.weight, second.entry.rpm, second.entry.concurrency) == (1, None, None)
    assert plain((first, second)) == ["fake-1", "fake-2"]


@pytest.mark.parametrize("value", [{"key": "fake-1"}, [{"key": "fake-1"}], ["fake-1"], '{"key": "fake-1"}', "fake-1"])
def test_the_secret_may_hold_decoded_json(value: object) -> None:
    assert plain(parse_keys("kling", value)) == ["fake-1"]


def test_a_kling_pair_is_one_key() -> None:
    assert plain(parse_keys("kling", "fake-access:fake-secret")) == ["fake-access:fake-secret"]


@settings(deadline=None, max_examples=40)
@given(st.lists(plain_keys, max_size=6))
def test_text_and_json_of_the_same_keys_mean_the_same(keys: list[str]) -> None:
    assert parse_keys("openai", ",".join(keys)) == parse_keys("openai", json.dumps(keys))


def test_a_key_does_not_show_when_printed() -> None:
    assert "fake-1" not in repr(parse_keys("openai", "fake-1"))


# --- as people paste them ---------------------------------------------------------------------------------------------

PASTED = {
    "quotes": '"fake-1,fake-2"',
    "quotes around each": "'fake-1', `fake-2`",
    "curly quotes": "\u201cfake-1\u201d, \u2018fake-2\u2019",
    "semicolons": "fake-1; fake-2;",
    "lines": "fake-1\r\nfake-2\n",
    "trailing commas": ",fake-1,fake-2,,",
    "an assignment": "FAL_KEYS=fake-1,fake-2",
    "an exported assignment": 'export FAL_KEYS="fake-1,fake-2";',
    "an assignment on every line": "FAL_KEY=fake-1\nREPLICATE_API_TOKEN = 'fake-2'",
    "zero-width spaces": "\u200bfake\u200d-1,\u2060fake-2\u200b",
    "a byte order mark": "\ufefffake-1\ufeff,fake-2",
    "no-break spaces": "\u00a0fake-1\u00a0,\u00a0fake-2",
    "JSON in quotes": """'["fake-1", "fake-2"]'""",
    "JSON assigned": 'FAL_KEYS=["fake-1", "fake-2"]',
    "JSON behind a byte order mark": '\ufeff["fake-1", "fake-2"]',
    "JSON with a trailing comma": '["fake-1", {"key": "fake-2",},]',
    "JSON in curly quotes": "[\u201cfake-1\u201d, \u201cfake-2\u201d]",
    "JSON of one text": '["fake-1;fake-2"]',
    "JSON whose entries are wrapped": """["'fake-1'", {"key": "FAL_KEY=fake-2\u200b"}]""",
    "decoded": ['"fake-1"', {"key": " \ufefffake-2"}],
}


@pytest.mark.parametrize("value", PASTED.values(), ids=PASTED.keys())
def test_what_a_clipboard_adds_to_keys_is_taken_off(value: object) -> None:
    assert plain(parse_keys("fal", value)) == ["fake-1", "fake-2"]


@pytest.mark.parametrize("key", ["ZmFrZQ==", "fake=1", "AKEYOF=", "fake:secret+/=", "KEY=="])
def test_an_equals_sign_of_the_keys_own_stays(key: str) -> None:
    assert plain(parse_keys("fal", key)) == [key]


# --- what the tables can hold -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared",
    [
        {"rpm": 1e9},
        {"rpm": 1e-9},
        {"rpm": 1e-300},
        {"burst": 10**9},
        {"burst": 10**40},
        {"concurrency": 10**6},
        {"concurrency": 10**7},
        {"weight": 1e9},
        {"rpm": float("nan")},
        {"weight": float("inf")},
    ],
)
def test_a_figure_that_no_table_could_hold_is_refused_by_its_name(declared: dict[str, Any]) -> None:
    with pytest.raises(InvalidKeys, match=rf"^FAL_KEYS\[0\]: {next(iter(declared))}: [^;\n]{{1,100}}$"):
        parse_keys("fal", [{"key": "fake-1", **declared}])


@pytest.mark.parametrize("account", ["*", "a*", "a#b", "a\x00b", "0123456789ab"])
def test_an_account_is_never_named_like_something_of_ours(account: str) -> None:
    with pytest.raises(InvalidKeys, match="account"):
        parse_keys("fal", [{"key": "fake-1", "account": account}])


# --- one vendor's slip ------------------------------------------------------------------------------------------------


def test_one_vendors_bad_entry_leaves_that_vendor_out_and_no_other() -> None:
    faults: dict[str, InvalidKeys] = {}
    found = keys_from({"FAL_KEYS": [{"key": "fake-1", "weight": 0}], "OPENAI_API_KEYS": "fake-2"}, faults=faults)
    assert found.keys() == {"openai"}
    assert {vendor: str(fault) for vendor, fault in faults.items()} == {
        "fal": "FAL_KEYS[0]: weight: Input should be greater than 0"
    }


# --- which variable ---------------------------------------------------------------------------------------------------


KEYED = {vendor: source for vendor, source in CREDENTIALS.items() if isinstance(source, ApiKeys)}


@pytest.mark.parametrize(("vendor", "plural"), [(vendor, source.plural) for vendor, source in KEYED.items()])
def test_every_vendor_has_a_plural_variable(vendor: str, plural: str) -> None:
    assert plain(keys_from({plural: "fake-1,fake-2"})[vendor]) == ["fake-1", "fake-2"]


@pytest.mark.parametrize(
    ("vendor", "singular"),
    [(vendor, singular) for vendor, source in KEYED.items() for singular in source.singular],
)
@pytest.mark.parametrize("empty", [None, "", " , ", "[]", [], '[""]'])
def test_the_singular_variable_is_the_fallback_when_the_plural_is_empty(
    vendor: str, singular: str, empty: object
) -> None:
    found = keys_from({KEYED[vendor].plural: empty, singular: "fake-1"})
    assert {vendor: ["fake-1"]} == {name: plain(keys) for name, keys in found.items()}


def test_the_plural_variable_replaces_the_singular() -> None:
    assert plain(keys_from({"FAL_KEYS": "fake-1", "FAL_KEY": "fake-2"})["fal"]) == ["fake-1"]


def test_vendors_without_keys_are_left_out_and_other_variables_ignored() -> None:
    assert keys_from({"HOME": "somewhere", "OPENAI_API_KEYS": "  "}) == {}


# --- a vendor without keys --------------------------------------------------------------------------------------------

WITH_A_ROLE = {"acme": FunctionRole(), "openai": ApiKeys("OPENAI_API_KEYS")}
ROLE = {"AWS_ACCESS_KEY_ID": "fake-id", "AWS_SECRET_ACCESS_KEY": "fake-secret", "AWS_SESSION_TOKEN": "fake-token"}


def test_the_functions_role_is_the_one_credential_of_a_vendor_without_keys() -> None:
    found = keys_from({**ROLE, "OPENAI_API_KEYS": "fake-1"}, WITH_A_ROLE)
    (acme,) = found["acme"]
    assert FunctionRole().read(acme.secret.get_secret_value()).session_token == "fake-token"
    assert (acme.entry.vendor, plain(found["openai"])) == ("acme", ["fake-1"])
    assert "fake-secret" not in repr(acme)


def test_every_worker_knows_the_role_by_the_same_name() -> None:
    (mine,), (theirs,) = (keys_from({**ROLE, **own}, WITH_A_ROLE)["acme"] for own in ({}, {"AWS_SESSION_TOKEN": "x"}))
    assert mine.secret != theirs.secret
    assert mine.entry == theirs.entry


def test_outside_of_a_role_a_vendor_without_keys_is_left_out() -> None:
    assert keys_from({"OPENAI_API_KEYS": "fake-1"}, WITH_A_ROLE).keys() == {"openai"}


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (
            {"key": "fake-1", "wieght": 2},
            "field 'wieght' is not known; allowed are key, account, weight, rpm, concurrency, burst",
        ),
        ({"key": "fake-1", "weight": 0}, "weight: Input should be greater than 0"),
        ({"key": "fake-1", "weight": True}, "weight: Input should be a valid number"),
        ({"key": "fake-1", "rpm": -1}, "rpm: Input should be greater than or equal to 0.001"),
        ({"key": "fake-1", "concurrency": 1.5}, "concurrency: Input should be a valid integer"),
        ({"account": "acme"}, "key: Field required"),
        ({"key": " "}, "key must be printable ASCII without spaces"),
        ({"key": "fake\nInjected: 1"}, "key must be printable ASCII without spaces"),
        (7, "must be a key or an object with a key"),
    ],
)
def test_an_error_names_the_variable_the_entry_and_the_field(entry: object, reason: str) -> None:
    with pytest.raises(InvalidKeys) as caught:
        keys_from({"FAL_KEYS": ["fake-0", entry]})
    assert (caught.value.variable, caught.value.index, caught.value.reason) == ("FAL_KEYS", 1, reason)
    assert str(caught.value) == f"FAL_KEYS[1]: {reason}"


@pytest.mark.parametrize("value", ["[not json", 5, True])
def test_a_value_that_is_no_list_of_keys_is_refused_as_a_whole(value: object) -> None:
    with pytest.raises(InvalidKeys) as caught:
        keys_from({"OPENAI_API_KEY": value})
    assert (caught.value.variable, caught.value.index) == ("OPENAI_API_KEY", None)


WRONG = st.sampled_from(
    [
        lambda key: f'["{key}", ',
        lambda key: [{"key": key, "weight": -1}],
        lambda key: [{"key": f"{key} {key}"}],
        lambda key: [{key: "fake"}],
        lambda key: [{"key": "fake", "rpm": key}],
        lambda key: [[key]],
        lambda key: f"{key} {key}",
    ]
)


@settings(deadline=None, max_examples=40)
@given(key=st.text(st.sampled_from("QRSTUVWXYZ0123456789"), min_size=8, max_size=24), wrong=WRONG)
def test_no_error_shows_any_part_of_a_key_nor_is_chained_to_one_that_does(key: str, wrong: Any) -> None:
    with pytest.raises(InvalidKeys) as caught:
        parse_keys("openai", wrong(key))
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = f"{error} {error!r} {error.args} {vars(error)}"
    assert not any(key[at : at + 4] in shown for at in range(len(key) - 3))
