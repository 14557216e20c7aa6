"""The vendors of the sweep: they take calls in, deliver, and write down what they charge."""

from __future__ import annotations

import base64
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from mediarelay.http.messages import HttpRequest
from tests.doubles.clock import ManualClock
from tests.doubles.job_vendors import JobVendors, PlannedStream, secrets_of
from tests.doubles.scripted_http import MEDIA, Answer, document, speech
from tests.doubles.speech_vendors import spoken
from tests.sweep.faults import vendor_of

# What they charge, US dollars: their price lists, as the catalogue quotes them.
USD_PER_CHARACTER = {"openai": (0.6 / 4 + 12 * 1250 / 60 / 15) / 1e6, "elevenlabs": 80 / 1e6}
USD_PER_PICTURE = 0.003
USD_PER_CLIP = {"kling": 5 * 0.042, "fal": 5 * 0.07}
USD_PER_SOUND = {"elevenlabs": 0.6, "fal": 0.2}
SPEECH_SECONDS, MUSIC_SECONDS = 0.5, 20.0


class Charge(NamedTuple):
    """One line of a vendor's bill."""

    vendor: str
    text: str
    usd: float


class Vendors:
    """Implements `http.ports.HttpClient` and `long_jobs.transfer.ports.MediaFetcher`.

    Attributes:
        planned: The next answers of a vendor, in the place of its work.
        down: Vendors that answer nothing but 503.
    """

    def __init__(self, clock: ManualClock, keys: Mapping[str, Sequence[Any]]) -> None:
        self._clock = clock
        self.jobs = JobVendors(clock, secrets_of(keys))
        self.planned: dict[str, deque[Answer]] = defaultdict(deque)
        self.down: set[str] = set()
        self._charged: list[Charge] = []

    def bill(self) -> list[Charge]:
        """What all of them charge; a clip that they still make is charged when it is done."""
        clips = [
            Charge(
                task.vendor, task.prompt, (USD_PER_CLIP if task.media[:4] != b"RIFF" else USD_PER_SOUND)[task.vendor]
            )
            for task in self.jobs.tasks.values()
            if task.failure is None and not task.cancelled
        ]
        return [*self._charged, *clips]

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Any]:
        """See `http.ports.HttpClient.send`."""
        vendor = vendor_of(request.url)
        if vendor in self.down:
            yield document(503, {"error": {"code": "server_error"}})
        elif self.planned[vendor]:
            yield self.planned[vendor].popleft()
        elif vendor == "kling" or "queue" in request.url:
            self._clock.advance(SPEECH_SECONDS)
            with self.jobs.send(request, deadline=deadline) as answer:
                yield answer
        else:
            yield self._made(vendor, request)

    @contextmanager
    def fetch(self, url: str, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.fetch`."""
        del url, deadline
        yield Answer(200, MEDIA["png"], {"content-type": "image/png"})

    @contextmanager
    def open(self, url: str, **how: Any) -> Iterator[PlannedStream]:
        """See `long_jobs.transfer.ports.MediaFetcher.open`."""
        with self.jobs.open(url, **how) as stream:
            yield stream

    def _made(self, vendor: str, request: HttpRequest) -> Answer:
        body: dict[str, Any] = dict(request.json)
        text = str(body.get("input") or body.get("text") or body.get("prompt"))
        if vendor == "fal":
            self._charged.append(Charge(vendor, text, USD_PER_PICTURE))
            return document(
                200, {"images": [{"url": "https://v3.fal.media/files/a.png", "width": 1024, "height": 768}]}
            )
        if request.url.partition("/v1/")[2].startswith(("music", "sound")):
            self._clock.advance(MUSIC_SECONDS)
            self._charged.append(Charge(vendor, text, USD_PER_SOUND[vendor]))
            return speech()
        self._clock.advance(SPEECH_SECONDS)
        self._charged.append(Charge(vendor, text, len(text) * USD_PER_CHARACTER[vendor]))
        return self._speech(text, body, request)

    @staticmethod
    def _speech(text: str, body: Mapping[str, Any], request: HttpRequest) -> Answer:
        wanted = str(body.get("response_format") or request.params.get("output_format"))
        sound = spoken(text) if wanted.startswith("wav") else MEDIA["mp3"]
        if request.url.endswith("/with-timestamps"):
            return document(200, {"audio_base64": base64.b64encode(sound).decode(), "alignment": None})
        return Answer(200, sound, {"content-type": "audio/wav" if wanted.startswith("wav") else "audio/mpeg"})
