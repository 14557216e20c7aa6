"""Finished results at the vendors' media hosts, brought in by the worker that bought them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from mediarelay.http.ports import HttpClient
from mediarelay.job_records.contract import Spending
from mediarelay.providers.api import ProviderCall
from mediarelay.providers.input_checks import speech
from mediarelay.results.result_store import Holding, NotWhatWasAsked, SpooledMedia, spooled
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import StoreUnavailable, Unreachable
from mediarelay.vocabulary.kinds import Kind

TRIES: Final = 3
PAUSE_SECONDS: Final = 0.3


def downloaded(
    http: HttpClient,
    clock: Clock,
    stack: ExitStack,
    url: str,
    format_: str,
    *,
    text: str | None,
    holding: Holding,
) -> SpooledMedia:
    """Download a finished result. It is paid for: a failing download is tried again, and never buys another.

    An error page in place of the result is a failed download like any other.

    Raises:
        Unreachable: It could not be had before all must have come.
        NotWhatWasAsked: It is something else.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return stack.enter_context(
                spooled(_chunks(http, url, holding.ends_at), format_, text=text, holding=holding)
            )
        except (Unreachable, NotWhatWasAsked) as error:
            if isinstance(error, NotWhatWasAsked) and not error.page:
                raise
            if attempt == TRIES or clock.now() + PAUSE_SECONDS >= holding.ends_at:
                reason = f"the result at {url} could not be fetched: {error}"
                raise Unreachable("download_failed", reason, sent=True) from error
        clock.sleep(PAUSE_SECONDS * attempt)
    raise AssertionError("unreachable: the last try returns or raises")


def collected(
    http: HttpClient, clock: Clock, stack: ExitStack, call: ProviderCall, bought: Spending, holding: Holding
) -> list[SpooledMedia]:
    """Download what an earlier delivery bought and could not fetch or store. Returns what of it can be used.

    Raises:
        StoreUnavailable: Some of it is not to be had yet.
        NotWhatWasAsked: All of it is something else.
    """
    text = speech(call).text if call.input.kind is Kind.TTS else None
    left = bought.uncollected
    if left is None:
        raise TypeError("nothing is left to be fetched")
    media: list[SpooledMedia] = []
    other: NotWhatWasAsked | None = None
    for url in left.urls:
        try:
            media.append(downloaded(http, clock, stack, url, left.format, text=text, holding=holding))
        except NotWhatWasAsked as error:
            other = other or error
        except Unreachable as error:
            raise StoreUnavailable("media host", "give the result", error.reason) from error
    if other is not None and not media:
        raise other
    return media


def _chunks(http: HttpClient, url: str, deadline: float) -> Iterator[bytes]:
    with http.fetch(url, deadline=deadline) as response:
        if response.status != 200:  # noqa: PLR2004 # OK
            raise Unreachable("download_failed", f"status {response.status}", sent=True)
        yield from response.chunks()
