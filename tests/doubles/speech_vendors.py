"""OpenAI and ElevenLabs, as far as they speak: every text its own tone, which begins and ends at full loudness."""

from __future__ import annotations

import base64
import hashlib
import io
import math
import wave
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mediarelay.http.messages import HttpRequest
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable
from tests.doubles.scripted_http import Answer, document, openai_error, throttled

RATE = 8_000
CHARACTERS_PER_SECOND = 100.0
AMPLITUDE = 0.3
CALL_SECONDS = 0.5


@dataclass(frozen=True)
class Said:
    """One paid call."""

    vendor: str
    text: str
    voice: str
    body: dict[str, Any]


def seconds_of(text: str) -> float:
    """How long the speech of a text is."""
    return round(max(len(text) / CHARACTERS_PER_SECOND, 0.05) * RATE) / RATE


@lru_cache(maxsize=256)
def spoken(text: str, rate: int = RATE) -> bytes:
    """A WAV file of that tone."""
    pitch = 90 + int(hashlib.sha256(text.encode()).hexdigest()[:4], 16) % 60
    turn = 2 * math.pi * pitch / rate
    samples = array(
        "h", (round(32767 * AMPLITUDE * math.cos(turn * at)) for at in range(round(seconds_of(text) * rate)))
    )
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
    return file.getvalue()


def _timed(text: str) -> dict[str, Any]:
    """ElevenLabs' answer with the time of each character; all are heard equally long."""
    each = seconds_of(text) / len(text)
    alignment = {
        "characters": list(text),
        "character_start_times_seconds": [at * each for at in range(len(text))],
        "character_end_times_seconds": [(at + 1) * each for at in range(len(text))],
    }
    return {"audio_base64": base64.b64encode(spoken(text)).decode(), "alignment": alignment}


class SpeechVendors:
    """Implements `http.ports.HttpClient`.

    Attributes:
        said: What was paid for, in order.
        down: Vendors that answer nothing but 503.
        refused: Texts in which one of these stands are refused for their content.
        after: Once so many calls were paid for, a vendor is down as well.
        keys: Which keys were used.
        loses: So many answers get lost on their way.
        throttled: Vendors that answer nothing but 429, to ask again in two minutes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.said: list[Said] = []
        self.calls = 0
        self.down: set[str] = set()
        self.refused: Sequence[str] = ()
        self.after: tuple[int, str] | None = None
        self.keys: set[str] = set()
        self.loses = 0
        self.throttled: set[str] = set()

    @property
    def bought(self) -> Counter[str]:
        """How often each text was paid for."""
        return Counter(said.text for said in self.said)

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.send`."""
        del deadline
        self.calls += 1
        self._clock.sleep(CALL_SECONDS)
        vendor = "openai" if "openai" in request.url else "elevenlabs"
        body: dict[str, Any] = dict(request.json)
        text = str(body.get("input") or body.get("text"))
        if self.after is not None and len(self.said) >= self.after[0]:
            self.down.add(self.after[1])
        if vendor in self.down:
            yield openai_error(503, "server_error")
            return
        if vendor in self.throttled:
            yield throttled(120)
            return
        if any(word in text for word in self.refused):
            yield openai_error(400, "content_policy_violation")
            return
        self.keys.add(
            next(value for name, value in request.headers.items() if name.lower() in {"authorization", "xi-api-key"})
        )
        timed = request.url.endswith("/with-timestamps")
        voice = str(body.get("voice") or request.url.removesuffix("/with-timestamps").rpartition("/")[2])
        self.said.append(Said(vendor, text, voice, body))
        if self.loses:
            self.loses -= 1
            raise Unreachable("read_timeout", "no answer", sent=True)
        asked = str(body.get("response_format") or request.params.get("output_format"))
        assert asked.startswith("wav"), asked
        yield (
            document(200, _timed(text), paid=True)
            if timed
            else Answer(200, spoken(text), {"content-type": "audio/wav"}, paid=True)
        )

    @contextmanager
    def fetch(self, url: str, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.fetch`."""
        raise AssertionError(f"nothing is to be fetched from {url} before {deadline}")
        yield
