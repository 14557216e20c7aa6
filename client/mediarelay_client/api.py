"""The stack's HTTP API."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

import httpx

from mediarelay_client.errors import InvalidRequest, NotAllowed, NotFound, RelayError, Unavailable
from mediarelay_client.models import JobRecord, ResultEvent, ResultOutput

PREFIX: Final = "api/v1/"
TRIES: Final = 5
LONGEST_PAUSE: Final = 8.0
SECONDS: Final = 30.0
LOOKUP: Final = 100
LOOKS_AT_ONCE: Final = 8
LONGEST_WAIT: Final = 20
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})


class JobView(JobRecord):
    """A job with links to its files."""

    links: list[ResultOutput]
    """Presigned, in the order of the outputs."""

    @property
    def publisher_id(self) -> str:
        """The id that its publisher knows it by."""
        return self.published_id or self.request_id.rpartition("!")[2].partition("#")[0]

    @property
    def settled(self) -> bool:
        """Whether it has ended for good."""
        return self.status in {"succeeded", "failed", "rejected", "expired"}

    def event(self) -> ResultEvent:
        """Return the event that was sent of its end."""
        settled_at = self.settled_at or 0
        known = self.model_dump(exclude={"outputs"}, exclude_none=True)
        return ResultEvent.model_validate(
            {
                "kind": None,
                "provider": None,
                "model": None,
                "tenant": None,
                "error": None,
                "latency_ms": None,
                "queue_ms": None,
                "url_expires_at": None,
                "key_rotations": 0,
                **{name: value for name, value in known.items() if name in ResultEvent.model_fields},
                "event_id": f"{self.request_id}@{settled_at}",
                "request_id": self.publisher_id,
                "job_id": self.request_id.rpartition("!")[2],
                "outputs": self.links,
                "settled_at": settled_at,
            }
        )


class Api:
    """Calls routes, after an error up to five times: nothing that is called here is done twice by that."""

    def __init__(self, url: str, token: str | None, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self.url = url if url.endswith("/") else f"{url}/"
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=self.url + PREFIX, headers=headers, timeout=SECONDS)
        self._sleep = sleep
        self._batched = True
        self._waits = True

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def get(self, route: str, **query: Any) -> Any:
        """Return what a route tells."""
        return self._call("GET", route, params={name: value for name, value in query.items() if value is not None})

    def post(self, route: str, body: Any) -> Any:
        """Send something that is the same when it is sent again."""
        return self._call("POST", route, json=body)

    def delete(self, route: str, **query: Any) -> Any:
        """Take something back."""
        return self._call("DELETE", route, params={name: value for name, value in query.items() if value is not None})

    def jobs(self, request_id: str, tenant: str | None = None) -> list[JobView]:
        """Return the jobs of a request: one, or one for each provider of strategy all besides their common record.

        Raises:
            NotFound: There is none, or not yet.
        """
        found = self.get(f"jobs/{quote(request_id, safe='')}", tenant=tenant)
        return [JobView.model_validate(job) for job in found["jobs"]]

    def changed(self, request_id: str, tenant: str | None, after: str | None, seconds: float) -> str | None:
        """Wait until a request's jobs are another version than that. Returns the newest that is known.

        None where the stack can't wait: now, or at all.
        """
        if not self._waits:
            return None
        query = {"tenant": tenant, "after": after, "seconds": str(max(0, min(LONGEST_WAIT, int(seconds))))}
        given = {name: value for name, value in query.items() if value is not None}
        try:
            answer = self._client.get(f"jobs/{quote(request_id, safe='')}/wait", params=given)
        except httpx.TransportError:
            return None
        if answer.status_code == httpx.codes.NOT_MODIFIED:
            return after or ""
        if answer.is_success:
            return str(_content(answer).get("version") or "") or None
        said = refusal(answer)
        # A stack of an earlier version has no such route; one of ours says that there is no such job, or not yet.
        self._waits = isinstance(said, Unavailable) or "there is no job" in said.message
        return None

    def lookup(self, request_ids: Sequence[str], tenant: str | None = None) -> dict[str, list[JobView]]:
        """Return the jobs of several requests, those without any left out."""
        if self._batched:
            try:
                return self._looked_up(request_ids, tenant)
            except (NotFound, InvalidRequest):
                self._batched = False  # a stack of an earlier version has no such route
        if len(request_ids) == 1:
            return {name: found for name in request_ids if (found := self._jobs_or_none(name, tenant))}
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            each = pool.map(lambda name: self._jobs_or_none(name, tenant), request_ids)
            return {name: found for name, found in zip(request_ids, each, strict=True) if found}

    def _looked_up(self, request_ids: Sequence[str], tenant: str | None) -> dict[str, list[JobView]]:
        found: dict[str, list[JobView]] = {}
        for start in range(0, len(request_ids), LOOKUP):
            body = {"ids": list(request_ids[start : start + LOOKUP])} | ({"tenant": tenant} if tenant else {})
            for job in self.post("jobs/lookup", body)["jobs"]:
                view = JobView.model_validate(job)
                found.setdefault(view.publisher_id, []).append(view)
        return found

    def _jobs_or_none(self, request_id: str, tenant: str | None) -> list[JobView]:
        try:
            return self.jobs(request_id, tenant)
        except NotFound:
            return []

    def routes(self) -> Mapping[str, Any]:
        """Return the paths that this stack's API has, with their methods."""
        return dict(self.get("openapi.json")["paths"])

    def _call(self, method: str, route: str, **arguments: Any) -> Any:
        for left in reversed(range(TRIES)):
            try:
                answer = self._client.request(method, route, **arguments)
            except httpx.TransportError as error:
                problem: RelayError = _unreachable(self.url, error)
            else:
                if answer.is_success:
                    return _content(answer)
                problem = refusal(answer)
            if not left or not isinstance(problem, Unavailable):
                raise problem
            self._sleep(random.uniform(0, min(LONGEST_PAUSE, 0.5 * 2 ** (TRIES - left))))  # noqa: S311 # jitter
        raise AssertionError("a call has at least one try")


def _content(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text


def _unreachable(url: str, error: httpx.TransportError) -> Unavailable:
    hint = "is the stack up? make local, or see mediarelay doctor"
    return Unavailable("api_unreachable", f"the API at {url} does not answer ({error})", retryable=True, hint=hint)


def refusal(answer: httpx.Response) -> RelayError:
    """Return the error that an answer of the API is."""
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    code = str(problem.get("code", f"http_{answer.status_code}"))
    said = str(problem.get("message") or answer.reason_phrase)
    match answer.status_code:
        case 401 | 403:
            hint = "mediarelay login, or ask for a token with the role for it"
            return NotAllowed("not_allowed", f"the API refused us ({answer.status_code}: {said})", hint=hint)
        case 404:
            return NotFound(code, said, hint="look at the id; mediarelay --help")
        case status if status in _AGAIN:
            return Unavailable(code, f"the API is busy or away ({said})", retryable=True, hint="try again")
        case _:
            return InvalidRequest(code, said)
