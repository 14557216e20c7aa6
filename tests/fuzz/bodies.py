"""Message bodies as publishers get them wrong, and good ones that look as bad as they may.

Bodies hold only characters that SQS accepts; within JSON strings anything may be escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.builders.requests import image, tts

HOSTILE = (
    "../../../etc/passwd",
    "a/b",
    "job#openai-tts",
    "<script>alert(1)</script>",
    "'; DROP TABLE jobs; --",
    "line\nbreak",
    "\u0000null",
    "\u202ereversed",
    "${jndi:ldap://x}",
    "%s%n{0}",
    '{"error":"x"}',
    "é" * 70,
    " ",
    "",
)
# What SQS lets through: no control characters but tab and line ends, no surrogates, no U+FFFE and U+FFFF.
sqs_text = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff", whitelist_characters="\t\n\r")
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
good_requests = st.sampled_from([tts, image]).flatmap(
    lambda make: st.builds(make, st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=40))
)


def wrapped(body: str) -> str:
    """In an SNS envelope, as a subscription without raw delivery sends it."""
    return json.dumps({"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:::t", "Message": body})


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good request with one thing wrong that nobody may overlook."""
    request = draw(good_requests)
    change: Callable[[dict[str, Any]], None] = draw(
        st.sampled_from(
            [
                lambda r: r.pop("input"),
                lambda r: r.pop("kind"),
                lambda r: r.update(
                    kind=draw(st.text(max_size=12).filter(lambda k: k not in KINDS) | json_values.filter(not_a_kind))
                ),
                lambda r: r.update(input=draw(json_values.filter(lambda value: not isinstance(value, dict)))),
                lambda r: r["input"].update({draw(st.text(min_size=1, max_size=20)) + "?": draw(json_values)}),
                lambda r: r.update({draw(st.text(min_size=1, max_size=20)) + "?": draw(json_values)}),
                lambda r: r.update(request_id=draw(st.sampled_from(HOSTILE) | st.integers() | st.lists(st.text()))),
                lambda r: r.update(tenant=draw(st.sampled_from(HOSTILE) | st.integers())),
                lambda r: r.update(
                    providers=draw(st.sampled_from([[], ["NOBODY"], ["openai-tts"] * 2, "openai-tts", [1]]))
                ),
                lambda r: r.update(strategy=draw(st.text().filter(lambda s: s not in STRATEGIES))),
                lambda r: r.update(timeout_seconds=draw(st.sampled_from([0, -1, 10**9, "60", 1.5, True]))),
                lambda r: r.update(metadata={"much": "x" * draw(st.integers(2049, 9000))}),
                lambda r: r.update(metadata=draw(st.lists(json_values) | st.text())),
                lambda r: r.update(options=draw(st.sampled_from([[], "x", {"": 1}, {"openai-tts": 3}]))),
                lambda r: r["input"].update(text="x" * 100_001, prompt="x" * 100_001),
            ]
        )
    )
    change(request)
    return json.dumps(request)


KINDS = ("tts", "image", "video", "audio")
STRATEGIES = ("fastest", "ordered", "cheapest", "all")


def not_a_kind(value: Any) -> bool:
    """Whether a JSON value names no kind."""
    return value not in KINDS


nested = st.integers(1, 5000).map(lambda depth: "[" * depth + "]" * depth)
deep = st.integers(1, 5000).map(lambda depth: f'{{"kind":"tts","input":{"[" * depth}{"]" * depth}}}')
huge = st.integers(128 * 1024, 250 * 1024).map(lambda size: json.dumps(tts("x" * size)))
cut_off = st.tuples(good_requests, st.integers(1, 20)).map(lambda pair: json.dumps(pair[0])[: -pair[1]])
marked = good_requests.map(lambda request: "\ufeff" + json.dumps(request))
not_finite = good_requests.map(lambda request: json.dumps({**request, "metadata": {"n": float("nan")}}))
encoded = good_requests.map(
    lambda request: json.dumps(request).encode("utf-16-le").decode("latin-1").replace("\0", " ")
)
other_json = json_values.filter(lambda value: not isinstance(value, dict)).map(json.dumps)
plain = [
    mutated(),
    mutated(),
    sqs_text.filter(str.strip),
    nested,
    deep,
    cut_off,
    marked,
    not_finite,
    encoded,
    other_json,
]
bad_bodies = st.one_of(*plain, huge, st.one_of(*plain).map(wrapped))
