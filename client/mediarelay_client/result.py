"""What a job came to, and its files."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import httpx

from mediarelay_client.errors import RelayError, Unavailable
from mediarelay_client.models import ResultEvent, ResultOutput

_CHUNK: Final = 1 << 16
_EXPIRED: Final = frozenset({400, 403, 404})
_SECONDS: Final = 60.0
_TRIES: Final = 4
_PAUSE: Final = 0.3
_ENDINGS: Final = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/ogg": "opus",
    "audio/opus": "opus",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/pcm": "pcm",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "application/json": "json",
    "application/x-subrip": "srt",
    "text/vtt": "vtt",
}


class File:
    """One file of a result, behind a link that is renewed when it has ended."""

    def __init__(self, output: ResultOutput, renew: Callable[[], str | None]) -> None:
        self.content_type = output.content_type
        self.bytes = output.bytes
        self.sha256 = output.sha256
        self.url = output.url
        self.s3_uri = output.s3_uri
        self._renew = renew

    @property
    def ending(self) -> str:
        """What its name ends with, such as mp3."""
        ending = self.s3_uri.rpartition("/")[2].rpartition(".")[2]
        return _ENDINGS.get(self.content_type.partition(";")[0], ending or "bin")

    def open(self) -> BinaryIO:
        """Return its content to be read."""
        return io.BytesIO(self.read())

    def read(self) -> bytes:
        """Return its content, checked."""
        content = io.BytesIO()
        self._copy(content)
        return content.getvalue()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file, which is there whole and checked, or not at all."""
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            with part.open("wb") as file:
                self._copy(file)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)
        return place

    def _copy(self, into: BinaryIO) -> None:
        """Stream it; a link that has ended is renewed once, what breaks off begins again."""
        renewed = False
        for left in reversed(range(_TRIES)):
            into.seek(0)
            into.truncate()
            try:
                with self._answer() as answer:
                    if answer.status_code in _EXPIRED and not renewed and (url := self._renew()) is not None:
                        self.url, renewed = url, True
                        continue
                    answer.raise_for_status()
                    self._written(answer.iter_bytes(_CHUNK), into)
                    return
            except httpx.HTTPError as error:
                if not left:
                    # httpx names the whole link, which lets anybody in.
                    why = f"HTTP {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else error
                    said = f"the file can't be fetched ({why})"
                    raise Unavailable("not_fetched", said, retryable=True, hint="try again") from None
                time.sleep(_PAUSE * (_TRIES - left))
        raise Unavailable("not_fetched", "the file's link has ended", retryable=True, hint="try again")

    @contextmanager
    def _answer(self) -> Iterator[httpx.Response]:
        with _fetcher(os.getpid()).stream("GET", self.url) as answer:
            yield answer

    def _written(self, chunks: Iterator[bytes], into: BinaryIO) -> None:
        digest = hashlib.sha256()
        for chunk in chunks:
            digest.update(chunk)
            into.write(chunk)
        if digest.hexdigest() != self.sha256:
            said = f"the file has another checksum than the event says: {digest.hexdigest()[:12]}…"
            raise RelayError("wrong_checksum", said, retryable=True, hint="fetch it again")


class Result:
    """What a job came to. `input_index` is its request's place among those given to `submit_many`."""

    def __init__(
        self, event: ResultEvent, renew: Callable[[ResultEvent], Sequence[str]], input_index: int | None = None
    ) -> None:
        self.event = event
        self.input_index = input_index
        self.outputs: Sequence[File] = [
            File(output, partial(_nth, renew, event, number)) for number, output in enumerate(event.outputs)
        ]

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.event.status == "succeeded"

    @property
    def cost_usd(self) -> float:
        """What the vendors charge for it, US dollars."""
        return self.event.cost_usd

    @property
    def warnings(self) -> list[str]:
        """What people should know, such as a model's coming retirement."""
        return self.event.warnings

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write its file; further ones go beside it, numbered. A name without an ending gets the file's."""
        if not self.outputs:
            raise RelayError("no_files", f"the job is {self.event.status}: it has no file")
        place = Path(path)
        first, *others = self.outputs
        if not place.suffix:
            place = place.with_name(f"{place.name}.{first.ending}")
        for number, file in enumerate(others, 2):
            file.save(place.with_name(f"{place.stem}-{number}.{file.ending}"))
        return first.save(place)

    def __repr__(self) -> str:
        """Say what it is without its links, which let anybody in."""
        return f"Result({self.event.request_id!r}, {self.event.status!r}, outputs={len(self.outputs)})"


@cache
def _fetcher(_pid: int) -> httpx.Client:
    """Return what fetches files: one for all of a process, since each reads the machine's certificates again."""
    return httpx.Client(timeout=_SECONDS, follow_redirects=True)


def _nth(renew: Callable[[ResultEvent], Sequence[str]], event: ResultEvent, number: int) -> str | None:
    links = renew(event)
    return links[number] if number < len(links) else None


def told(event: ResultEvent) -> dict[str, Any]:
    """Return an event as it was sent."""
    return event.model_dump(mode="json")
