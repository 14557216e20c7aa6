"""Ask a vendor about a job: one short question, one classified answer, never a key in either."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar
from urllib.parse import urlsplit

from mediarelay.http.messages import HttpReply, HttpRequest
from mediarelay.http.ports import HttpClient
from mediarelay.keys.parsing import ApiKey
from mediarelay.providers.api import (
    Absent,
    Accepted,
    Finished,
    JobAnswer,
    JobFailed,
    JobProvider,
    ProviderCall,
    Ready,
    Task,
)
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import Unreachable
from mediarelay.vocabulary.log_safety import redacted
from mediarelay.vocabulary.outcome import Failure, Outcome

# Answers about jobs are a few KB; a proxy's error page is not worth more.
ANSWER_LIMIT_BYTES: Final = 1024 * 1024

A = TypeVar("A")


class VendorJobClient:
    """Thread-safe; one per worker. Every failure that it returns is redacted."""

    def __init__(
        self, http: HttpClient, *, base_urls: Mapping[str, str], secrets: Callable[[], Sequence[str]], clock: Clock
    ) -> None:
        """`base_urls` has the address of every provider."""
        self._http = http
        self._base_urls = base_urls
        self._secrets = secrets
        self._clock = clock

    def submit(
        self,
        provider: JobProvider,
        call: ProviderCall,
        key: ApiKey,
        *,
        deadline: float,
        webhook_url: str | None = None,
    ) -> tuple[Accepted | Failure, int | None]:
        """Submit. Returns the answer and its HTTP status; a vendor with webhooks is asked to call that URL."""
        request = provider.build_request(call)
        if webhook_url and provider.has_webhooks:
            request = provider.with_webhook(request, webhook_url)
        return self._ask(provider, request, key, lambda r: provider.parse_submit(r, call), deadline)

    def poll(
        self, provider: JobProvider, call: ProviderCall, task: Task, key: ApiKey, *, deadline: float
    ) -> tuple[JobAnswer, int | None]:
        """Ask how the job is doing, and for its result where that takes a second question. Returns the status too."""
        request = provider.poll_request(task)
        answer, status = self._ask(provider, request, key, lambda r: provider.parse_poll(r, call), deadline)
        return self._result(provider, call, task, key, deadline) if isinstance(answer, Ready) else (answer, status)

    def look_up(
        self, provider: JobProvider, call: ProviderCall, key: ApiKey, *, deadline: float
    ) -> Accepted | Absent | Failure:
        """Ask whether a submit of this call arrived."""
        request = provider.lookup_request(call)
        if request is None:
            return Failure(Outcome.PROVIDER_FAULT, "no_lookup", f"{provider.name} cannot look up a submit")
        answer, _ = self._ask(provider, request, key, lambda r: provider.parse_lookup(r, call), deadline)
        return answer

    def cancel(self, provider: JobProvider, task: Task, key: ApiKey, *, deadline: float) -> bool:
        """Ask the vendor to stop the job. Returns whether it says that it does."""
        request = provider.cancel_request(task)
        if request is None:
            return False
        answer, _ = self._ask(provider, request, key, _cancelled, deadline)
        return answer is True

    def _result(
        self, provider: JobProvider, call: ProviderCall, task: Task, key: ApiKey, deadline: float
    ) -> tuple[Finished | JobFailed | Absent | Failure, int | None]:
        request = provider.result_request(task)
        return self._ask(provider, request, key, lambda r: provider.parse_result(r, call), deadline)

    def _ask(
        self, provider: JobProvider, request: HttpRequest, key: ApiKey, parse: Callable[[HttpReply], A], deadline: float
    ) -> tuple[A | Failure, int | None]:
        """Ask once, and again if the credential was signed too early or too late. Returns the answer and its status."""
        answer, status = self._once(provider, request, key, parse, deadline)
        if isinstance(answer, Failure) and answer.code in provider.stale_credential_codes:
            answer, status = self._once(provider, request, key, parse, deadline)
        return (redacted(answer, self._secrets()) if isinstance(answer, Failure) else self._shown(answer)), status

    def _once(
        self, provider: JobProvider, request: HttpRequest, key: ApiKey, parse: Callable[[HttpReply], A], deadline: float
    ) -> tuple[A | Failure, int | None]:
        base_url = self._base_urls[provider.name]
        below = replace(request, path=_below(base_url, request.path), base_url=base_url)
        signed = provider.sign(below, key.secret.get_secret_value(), now=self._clock.now())
        try:
            with self._http.send(signed, deadline=deadline) as response:
                body = response.read(ANSWER_LIMIT_BYTES)
                return parse(HttpReply(response.status, response.headers, body)), response.status
        except Unreachable as error:
            outcome = Outcome.TIMEOUT_SENT if error.sent else Outcome.TIMEOUT_UNSENT
            return Failure(outcome, error.code, error.reason), None

    def _shown(self, answer: A) -> A:
        if isinstance(answer, JobFailed):
            return replace(answer, failure=redacted(answer.failure, self._secrets()))
        return answer


def _below(base_url: str, path: str) -> str:
    """Return the path below the base URL: a vendor's returned path already begins with what the base URL ends with."""
    prefix = urlsplit(base_url).path.rstrip("/")
    return path.removeprefix(prefix) if prefix and path.startswith(f"{prefix}/") else path


def _cancelled(reply: HttpReply) -> bool:
    return 200 <= reply.status < 300  # noqa: PLR2004 - the 2xx range
