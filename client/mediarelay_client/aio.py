"""The library for asyncio: what waits, waits beside the loop; what is told is told by the same thread as in `Relay`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from pydantic import SecretStr

from mediarelay_client.errors import WaitTimeout, failure
from mediarelay_client.relay import IN_FLIGHT, Relay
from mediarelay_client.request.asking import asked
from mediarelay_client.request.keywords import ComposeOptions, DrawOptions, FilmOptions, SayOptions

if TYPE_CHECKING:
    from mediarelay_client.api import JobView
    from mediarelay_client.job import Job, Update
    from mediarelay_client.models import ResultEvent
    from mediarelay_client.request.model import MediaRequest
    from mediarelay_client.result import Result

_Item = TypeVar("_Item")


class AsyncJob:
    """One request, whatever it turns into; awaiting it gives its result."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.request_id = job.request_id

    async def status(self) -> str:
        """Return where it stands."""
        return await asyncio.to_thread(self._job.status)

    async def record(self) -> JobView:
        """Return the job record."""
        return await asyncio.to_thread(self._job.record)

    async def branches(self, timeout: float | None = None) -> list[Result]:  # noqa: ASYNC109 # as in `Job`
        """Wait for its end and return what came of each provider."""
        ended = self._job.ended()
        try:
            events = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(ended)), timeout)
        except TimeoutError as error:
            said = f"{self.request_id} has not ended after {timeout:g} s; it goes on"
            raise WaitTimeout("still_running", said, retryable=True, request_id=self.request_id) from error
        return self._job.results_of(events)

    async def result(self, timeout: float | None = None) -> Result:  # noqa: ASYNC109 # as in `Job`
        """Wait for its end and return what it came to. Raises as `Job.result`."""
        results = await self.branches(timeout)
        for result in results:
            if result.ok:
                return result
        raise failure(results[0].event)

    async def updates(self, timeout: float | None = None) -> AsyncIterator[Update]:  # noqa: ASYNC109 # as in `Job`
        """Yield where it stands whenever that changes."""
        async with contextlib.aclosing(_beside(lambda: self._job.updates(timeout))) as updates:
            async for update in updates:
                yield update

    async def cancel(self) -> None:
        """Ask for its end."""
        await asyncio.to_thread(self._job.cancel)

    def __await__(self) -> Generator[Any, None, Result]:
        """Wait for its end."""
        return self.result().__await__()


class AsyncRelay:
    """A connection to one stack."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    @classmethod
    def from_stack(
        cls, name: str, *, region: str | None = None, profile: str | None = None, tenant: str | None = None
    ) -> Self:
        """See `Relay.from_stack`."""
        return cls(Relay.from_stack(name, region=region, profile=profile, tenant=tenant))

    @classmethod
    def from_env(cls) -> Self:
        """See `Relay.from_env`."""
        return cls(Relay.from_env())

    @classmethod
    def from_api(cls, url: str, token: str | SecretStr, *, tenant: str | None = None) -> Self:
        """See `Relay.from_api`."""
        return cls(Relay.from_api(url, token, tenant=tenant))

    async def say(self, text: str, /, **options: Unpack[SayOptions]) -> AsyncJob:
        """Have a text spoken."""
        return await self.submit(asked("tts", {"text": text}, options))

    async def draw(self, prompt: str, /, **options: Unpack[DrawOptions]) -> AsyncJob:
        """Have a picture drawn."""
        return await self.submit(asked("image", {"prompt": prompt}, options))

    async def film(self, prompt: str, /, **options: Unpack[FilmOptions]) -> AsyncJob:
        """Have a clip filmed."""
        return await self.submit(asked("video", {"prompt": prompt}, options))

    async def compose(self, prompt: str, /, **options: Unpack[ComposeOptions]) -> AsyncJob:
        """Have music composed, or a sound made."""
        return await self.submit(asked("audio", {"prompt": prompt}, options))

    async def submit(self, request: MediaRequest | Mapping[str, Any], /) -> AsyncJob:
        """Publish a request. Raises as `Relay.submit`."""
        return AsyncJob(await asyncio.to_thread(self._relay.submit, request))

    async def submit_many(
        self,
        requests: Iterable[MediaRequest | Mapping[str, Any]],
        *,
        in_flight: int = IN_FLIGHT,
        timeout: float | None = None,  # noqa: ASYNC109 # between results, as in `Relay`
        raise_errors: bool = False,
    ) -> AsyncIterator[Result]:
        """Publish requests as others end, and yield what came of each as it ends."""

        def results() -> Generator[Result]:
            return self._relay.submit_many(requests, in_flight=in_flight, timeout=timeout, raise_errors=raise_errors)

        async with contextlib.aclosing(_beside(results)) as found:
            async for result in found:
                yield result

    def job(self, request_id: str, *, tenant: str | None = None) -> AsyncJob:
        """Return a handle to a request that was published earlier, or elsewhere."""
        return AsyncJob(self._relay.job(request_id, tenant=tenant))

    async def events(self, **wanted: Any) -> AsyncIterator[ResultEvent]:
        """Yield everybody's results as they come. See `Relay.events`."""
        async with contextlib.aclosing(_beside(lambda: self._relay.events(**wanted))) as found:
            async for event in found:
                yield event

    async def close(self) -> None:
        """End what was begun here. Jobs go on."""
        await asyncio.to_thread(self._relay.close)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close it."""
        await self.close()


async def _beside(make: Callable[[], Generator[_Item]]) -> AsyncGenerator[_Item]:
    """Yield what a generator yields, which waits in a thread."""
    items = make()
    try:
        while found := await asyncio.to_thread(_next, items):
            yield found[0]
    finally:
        # When this is cancelled a thread still waits in it: it ends when the relay is closed.
        with contextlib.suppress(ValueError):
            await asyncio.to_thread(items.close)


def _next(items: Generator[_Item]) -> tuple[_Item] | None:
    """Return the next item; None at the end, since no StopIteration leaves a thread."""
    for item in items:
        return (item,)
    return None
