"""Take in what a provider delivered: spool and verify it, store it, and find what a predecessor paid for and stored.

Answers lie in files: short ones in memory, others in /tmp. `Room` is how much of them one worker may hold at once. A
job takes what it needs before it buys anything, and waits for it or comes again; so what is bought fits.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Final, NamedTuple

from mediarelay.job_records.contract import PART, Output, Uncollected
from mediarelay.results.media_type import (
    CONTENT_TYPES,
    HEAD_BYTES,
    HEADER_BYTES,
    instead,
    looks_like_text,
    mismatch,
    not_speech,
    patches,
    read_header,
)
from mediarelay.results.ports import MediaStore, StoredObject
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import MediaRelayError, StoreUnavailable, Unreachable
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import Kind
from mediarelay.vocabulary.retrying import retry_until

# Only for annotations: what is read is not bought.
if TYPE_CHECKING:
    from mediarelay.providers.api import ProviderCall

PARTS_FOLDER: Final = "parts/"
# Most speech is shorter. A longer file goes to /tmp: the ten files of each of thirty jobs stay below 160 MB of memory.
IN_MEMORY_BYTES: Final = 512 * 1024
# What a file system needs for itself, and files that are not answers.
SPARE_BYTES: Final = 32 * 1024 * 1024
# This part of the room is for an answer that turns out larger than was reserved for it, one at a time.
RESERVE_PART: Final = 4
ROOM_PAUSE_SECONDS: Final = 0.1
# No speech or picture of any provider comes near this; a larger body is not what was asked for.
MEDIA_LIMIT_BYTES: Final = 256 * 1024 * 1024


class NotWhatWasAsked(MediaRelayError):
    """The bytes are not the media that was asked for.

    Attributes:
        page: Whether they are a text, such as the error page of some host.
    """

    def __init__(self, reason: str, *, page: bool = False) -> None:
        self.page = page
        super().__init__(reason)


@dataclass(slots=True, eq=False)
class Room:
    """How much of answers a worker may hold at once. Thread-safe; who waits is served in turn.

    Attributes:
        most: The bytes that there are.
    """

    most: int
    clock: Clock
    _taken: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _line: list[Holding] = field(default_factory=list)
    _outgrown: list[Holding] = field(default_factory=list)

    def take(self, size: int, *, until: float, ends_at: float) -> Holding | None:
        """Take so many bytes, waiting for them until then; None when there was no room in time.

        Args:
            size: What is expected to come; what comes beyond it is taken then.
            until: How long to wait; unix seconds.
            ends_at: When all must have come.
        """
        holding = Holding(self, size, ends_at)
        with self._lock:
            if not size or (not self._line and self._fits(size)):
                self._taken += size
                return holding
            self._line.append(holding)
        while True:
            with self._lock:
                fits = self._line[0] is holding and self._fits(size)
                if fits or self.clock.now() >= until:
                    self._line.remove(holding)
                    self._taken += size * fits
                    return holding if fits else None
            self.clock.sleep(ROOM_PAUSE_SECONDS)

    def grow(self, holding: Holding, more: int) -> None:
        """Give more to an answer that is larger than was expected: it is paid for, so that it waits for others to end.

        Raises:
            Unreachable: There was no room for it before it had to end.
        """
        while not self._grown(holding, more):
            if self.clock.now() >= holding.ends_at:
                raise Unreachable("no_room", "no room for the answer beside others", sent=True)
            self.clock.sleep(ROOM_PAUSE_SECONDS)

    def give_back(self, holding: Holding) -> None:
        """Take back what a job was given."""
        with self._lock:
            self._taken -= holding.size
            if holding in self._outgrown:
                self._outgrown.remove(holding)

    def _fits(self, size: int) -> bool:
        """Whether a job may begin. Nearly all of the room is only for one that is alone."""
        return not self._taken or self._taken + size <= self.most - self.most // RESERVE_PART

    def _grown(self, holding: Holding, more: int) -> bool:
        with self._lock:
            wanted = self._taken + more
            if wanted > self.most - self.most // RESERVE_PART:
                # The reserve is for one of them at a time: it is enough for each, and for all at once it is not.
                if holding not in self._outgrown:
                    self._outgrown.append(holding)
                if self._outgrown[0] is not holding or wanted > self.most:
                    return False
            self._taken = wanted
            holding.size += more
            return True


@dataclass(slots=True, eq=False)
class Holding:
    """What one job may hold of answers, and does.

    Attributes:
        size: What it may hold, in bytes.
        ends_at: When all must have come; unix seconds.
        used: What it holds.
    """

    room: Room
    size: int
    ends_at: float
    used: int = 0

    def note(self, count: int) -> None:
        """Note that so many bytes more will be held now. Raises `Unreachable` when there is no room for them."""
        used = self.used + count
        if used > self.size:
            self.room.grow(self, used - self.size)
        self.used = used

    def release(self) -> None:
        """Give all of it back, now that no answer is there any more."""
        self.room.give_back(self)


@frozen
class SpooledMedia:
    """Verified media, ready to be stored from its beginning.

    Attributes:
        format: What it is, by its bytes.
        sha256: Hexadecimal.
        remark: How it differs from what was asked for; empty when it doesn't.
        made_of: The format that the provider made, where this one was made of it here.
    """

    body: IO[bytes]
    format: str
    size: int
    sha256: str
    remark: str = ""
    made_of: str | None = None

    @property
    def content_type(self) -> str:
        """The media type of the format."""
        return CONTENT_TYPES[self.format]


@contextmanager
def spooled(
    chunks: Iterable[bytes], expected: str, *, text: str | None = None, holding: Holding | None = None
) -> Iterator[SpooledMedia]:
    """Spool *chunks* and verify them, as `verified` does.

    Args:
        chunks: The media.
        expected: The format that was asked for.
        text: What the media is to say; None when it is no speech.
        holding: What it counts against.

    Raises:
        NotWhatWasAsked: They are not that.
        Unreachable: They could not be kept, or did not all come.
    """
    digest, size = hashlib.sha256(), 0
    body = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 # closing may fail
    try:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > MEDIA_LIMIT_BYTES:
                raise NotWhatWasAsked(f"more than {MEDIA_LIMIT_BYTES} bytes")
            if holding is not None:
                holding.note(len(chunk))
            try:
                body.write(chunk)
            except OSError as error:
                raise _no_room(error) from error
        yield verified(body, size, digest.hexdigest(), expected, text)
    finally:
        # What a full disk did not take is tried again on closing, and is no longer wanted.
        with suppress(OSError):
            body.close()
        if holding is not None:
            holding.used -= min(size, holding.used)


def verified(body: IO[bytes], size: int, checksum: str, expected: str, text: str | None) -> SpooledMedia:
    """Verify the media in a file. The sizes in the header of a WAV file are corrected.

    Args:
        body: The file; it holds nothing else.
        size: Its length in bytes.
        checksum: The SHA-256 of it, hexadecimal.
        expected: The format that was asked for; another one that serves the same purpose passes with a remark.
        text: What the media is to say; None when it is no speech.

    Raises:
        NotWhatWasAsked: It is something else, can't be speech of the text, or is too large.
        Unreachable: Its last bytes could not be kept.
    """
    if size > MEDIA_LIMIT_BYTES:
        raise NotWhatWasAsked(f"more than {MEDIA_LIMIT_BYTES} bytes")
    try:
        head = _head(body)
    except OSError as error:
        raise _no_room(error) from error
    reason = mismatch(head[:HEAD_BYTES], size, expected)
    format_ = expected if reason is None else instead(head[:HEAD_BYTES], expected)
    if format_ is None:
        raise NotWhatWasAsked(str(reason), page=looks_like_text(head[:HEAD_BYTES]))
    silence = _no_sound(format_, head, size, text)
    if silence is not None:
        raise NotWhatWasAsked(silence)
    if format_ == "wav" and (wrong := patches(head, size)):
        checksum = _patched(body, wrong)
    body.seek(0, io.SEEK_SET)
    return SpooledMedia(body, format_, size, checksum, reason or "")


def _no_room(error: OSError) -> Unreachable:
    """A full disk, or one that fails: the answer came, and is lost like one that broke off."""
    return Unreachable("no_room", f"no room for the answer ({type(error).__name__})", sent=True)


def _head(body: IO[bytes]) -> bytes:
    body.seek(0)
    return body.read(HEADER_BYTES)


def _no_sound(format_: str, head: bytes, size: int, text: str | None) -> str | None:
    """Why this can't be what was to be said; of a WAV without samples also where nothing was."""
    if format_ != "wav":
        return None if text is None else not_speech(format_, size, 0, text)
    header = read_header(head, size)
    return not_speech(format_, header.sound_bytes(size), header.byte_rate, text or "")


def _patched(body: IO[bytes], wrong: Sequence[tuple[int, bytes]]) -> str:
    """Write what is right, and compute the checksum again."""
    for at, data in wrong:
        body.seek(at)
        body.write(data)
    body.seek(0)
    digest = hashlib.sha256()
    while chunk := body.read(HEADER_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


@frozen
class Purchase:
    """A delivered result, whether just bought or found.

    Attributes:
        key_id: Whose money it was.
        warnings: How it differs from what was asked for.
        voice: The vendor's id of the voice that speaks; None unless it is speech.
        substituted: Whether that is an equivalent of the voice that was asked for.
    """

    provider: str
    model: str
    key_id: str
    cost_usd: float
    outputs: tuple[Output, ...]
    warnings: tuple[str, ...] = ()
    voice: str | None = None
    substituted: bool = False


class Folder(NamedTuple):
    """Where a job's results lie, and the fingerprint of what they are of."""

    prefix: str
    fingerprint: str


def prefix_of(kind: Kind, received_at: int, job_id: str) -> str:
    """`kind/yyyy/mm/dd/request_id/` (then `provider/` for a branch); the day is the day the job was first received.

    Parts of a job, which nobody asks for once they are joined, lie apart from the results, below `parts/`.
    """
    day = datetime.fromtimestamp(received_at / 1000, UTC)
    request_id, _, spec = job_id.partition("#")
    prefix = f"{kind}/{day:%Y/%m/%d}/{request_id}/" + (f"{spec}/" if spec else "")
    return f"{PARTS_FOLDER}{prefix}" if PART in job_id else prefix


class ResultStore:
    """Stores verified media and finds it again."""

    def __init__(self, store: MediaStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep(
        self, media: Sequence[SpooledMedia], *, prefix: str, facts: Mapping[str, str], until: float
    ) -> tuple[Output, ...]:
        """Store every output, repeating until then (unix seconds).

        Raises:
            StoreUnavailable: The bucket stayed unreachable.
        """
        outputs = []
        for index, item in enumerate(media):
            key = f"{prefix}{facts['provider']}-{index}.{item.format}"
            output = Output(
                key=key,
                content_type=item.content_type,
                bytes=item.size,
                sha256=item.sha256,
                transcoded_from=item.made_of,
            )
            all_facts = {**facts, "index": str(index), "outputs": str(len(media))}
            retry_until(lambda: self._put(output, item, all_facts), clock=self._clock, until=until)  # noqa: B023 # runs now
            outputs.append(output)
        return tuple(outputs)

    def find(self, folder: Folder) -> Purchase | None:
        """Find a complete result of that content in the folder itself, in none below it; None when there is none.

        Raises:
            StoreUnavailable: The bucket cannot be read.
        """
        by_call: dict[str, list[StoredObject]] = defaultdict(list)
        for found in self._store.find(folder.prefix):
            # Another job's, of another content; what was stored before files had a fingerprint has none. And what was
            # joined of parts, which no single key bought: the job's record says of it all there is to know.
            another = found.facts.get("fingerprint", folder.fingerprint) != folder.fingerprint
            if another or "key-id" not in found.facts:
                continue
            by_call[found.facts.get("provider", "")].append(found)
        for objects in by_call.values():
            facts = objects[0].facts
            if facts.get("outputs") == str(len(objects)):
                ordered = sorted(objects, key=lambda found: int(found.facts["index"]))
                return Purchase(
                    provider=facts["provider"],
                    model=facts["model"],
                    key_id=facts["key-id"],
                    cost_usd=float(facts["cost-usd"]),
                    outputs=tuple(found.output for found in ordered),
                    warnings=tuple(filter(None, [facts.get("warning")])),
                    voice=facts.get("voice"),
                    substituted="voice-substituted" in facts,
                )
        return None

    def _put(self, output: Output, item: SpooledMedia, facts: Mapping[str, str]) -> None:
        item.body.seek(0)
        self._store.put(output, item.body, facts)


def bought_by(call: ProviderCall, key_id: str, cost_usd: float, warnings: tuple[str, ...] = ()) -> Purchase:
    """Return what a call has bought, before it is stored."""
    voice = call.voice
    return Purchase(
        provider=call.model.provider,
        model=call.model.id,
        key_id=key_id,
        cost_usd=cost_usd,
        outputs=(),
        warnings=warnings,
        voice=voice.id if voice else None,
        substituted=voice.substituted if voice else False,
    )


def stored(
    store: ResultStore, spent: Purchase, media: Sequence[SpooledMedia], folder: Folder, *, until: float
) -> Purchase:
    """Store what was bought, with what is known of it, repeating until then. Returns the purchase with its outputs.

    Raises:
        StoreUnavailable: The bucket stayed unreachable.
    """
    facts = {
        "provider": spent.provider,
        "model": spent.model,
        "key-id": spent.key_id,
        "cost-usd": f"{spent.cost_usd:.6f}",
        "fingerprint": folder.fingerprint,
        **({"warning": "; ".join(spent.warnings)} if spent.warnings else {}),
        **({"voice": spent.voice} if spent.voice else {}),
        **({"voice-substituted": "yes"} if spent.substituted else {}),
    }
    return replace(spent, outputs=store.keep(media, prefix=folder.prefix, facts=facts, until=until))


class ResultLost(StoreUnavailable):
    """A paid result could not be fetched or stored before the worker had to end.

    Attributes:
        purchase: What was paid for, without outputs.
        status: The HTTP status it came with.
        left: Where it can still be fetched; None where only this worker had it.
    """

    def __init__(
        self, cause: StoreUnavailable, purchase: Purchase, status: int, left: Uncollected | None = None
    ) -> None:
        super().__init__(cause.store, cause.operation, cause.reason)
        self.purchase = purchase
        self.status = status
        self.left = left
