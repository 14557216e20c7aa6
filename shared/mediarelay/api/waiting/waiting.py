"""`GET jobs/<request_id>/wait`: answered once a job has changed, or when the time is over."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from mediarelay.api.access import ACCESS, FORBIDDEN, NOT_FOUND, PREFIX, Caller, caller_of
from mediarelay.vocabulary.clock import Clock
from mediarelay.vocabulary.errors import RequestRejected, StoreUnavailable

# What tells of jobs is imported when the first is asked for.
if TYPE_CHECKING:
    from mediarelay.api.contract import JobList
    from mediarelay.api.job_views import JobReader

logger = logging.getLogger(__name__)

LONGEST_WAIT: Final = 20
ROUTE: Final = "GET /jobs/<request_id>/wait"
# Between looks: soon at first, as speech is.
PAUSES: Final = (0.3, 0.5, 1.0, 1.0, 2.0)
_PATH: Final = re.compile(PREFIX + r"/jobs/([^/\n]{1,400})/wait")
_VERSION: Final = re.compile(r"[0-9a-f]{12}")
_SECONDS: Final = re.compile(r"[0-9]{1,2}")
_INVALID: Final = "invalid_request"
_STATUSES: Final = {
    FORBIDDEN: 403,
    NOT_FOUND: 404,
    _INVALID: 422,
}
_JSON: Final = {"content-type": "application/json"}


class WaitService:
    """Looks at jobs again and again."""

    def __init__(self, reader: Callable[[], JobReader], clock: Clock) -> None:
        """`reader` makes what reads jobs, when it is first asked for, and returns the same from then on."""
        self._reader = reader
        self._clock = clock

    def answer(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a request of the route, as API Gateway sends and takes them."""
        try:
            found = self.wait(*_asked(event))
        except RequestRejected as refused:
            return _problem(_STATUSES[refused.code], refused.code, refused.message)
        except StoreUnavailable as error:
            logger.warning("nothing read", extra={"store": error.store, "reason": error.reason})
            said = f"{error.store} is away; try again"
            return _problem(503, "store_unavailable", said, retryable=True)
        if found is None:
            return {"statusCode": 304}
        return {"statusCode": 200, "headers": _JSON, "body": found.model_dump_json()}

    def wait(
        self, request_id: str, tenant: str | None, caller: Caller, after: str | None, seconds: float
    ) -> JobList | None:
        """Return the jobs of a request once they are another version than that, or have ended; None when the time is
        over before. Raises as `JobReader`.
        """
        ends_at, looks = self._clock.now() + seconds, 0
        while True:
            found = self._reader().find(request_id, tenant, caller, consistent=False)
            own = [job for job in found.jobs if not job.branches]
            if found.version != after or (own and all(job.status.settled for job in own)):
                return found
            pause = PAUSES[min(looks, len(PAUSES) - 1)]
            if self._clock.now() + pause > ends_at:
                return None
            self._clock.sleep(pause)
            looks += 1


def _asked(event: Mapping[str, Any]) -> tuple[str, str | None, Caller, str | None, float]:
    """Return whose jobs of which request are waited for by whom, from which version on and for how long."""
    who = caller_of((event["requestContext"].get("authorizer") or {}).get("lambda") or {})
    if who.role not in ACCESS[ROUTE]:
        raise RequestRejected(FORBIDDEN, "the token's role may not do that")
    path = _PATH.fullmatch(event["rawPath"])
    if path is None:
        raise RequestRejected(NOT_FOUND, "there is no such resource")
    query = event.get("queryStringParameters") or {}
    after, seconds = query.get("after"), query.get("seconds", str(LONGEST_WAIT))
    if after is not None and not _VERSION.fullmatch(after):
        raise RequestRejected(_INVALID, "after: must be a version")
    if not _SECONDS.fullmatch(seconds) or int(seconds) > LONGEST_WAIT:
        raise RequestRejected(_INVALID, f"seconds: must be 0 to {LONGEST_WAIT}")
    return unquote(path[1]), query.get("tenant"), who, after, float(seconds)


def _problem(status: int, code: str, message: str, *, retryable: bool = False) -> dict[str, Any]:
    body = json.dumps({"code": code, "message": message, "retryable": retryable})
    return {"statusCode": status, "headers": _JSON, "body": body}
