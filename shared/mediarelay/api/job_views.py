"""The jobs of a request as the API shows them: read in two calls at most, signed, and told from what they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from mediarelay.announce.contract import ResultOutput
from mediarelay.api.access import NOT_FOUND, Caller
from mediarelay.api.contract import JobList, JobView
from mediarelay.api.tokens import Role
from mediarelay.job_records.contract import JobRecord
from mediarelay.job_records.job_spec import job_key
from mediarelay.results.ports import LinkSigner
from mediarelay.vocabulary.errors import RequestRejected

if TYPE_CHECKING:
    from mediarelay.api.publishing.ports import JobNotes

_VERSION_DIGITS: Final = 12


class JobReader:
    """Every method raises `StoreUnavailable`, and `RequestRejected` (not_found) where there is no such job."""

    def __init__(self, notes: JobNotes, signer: LinkSigner, providers: Iterable[str]) -> None:
        self._notes = notes
        self._signer = signer
        self._providers = tuple(providers)

    def find(self, request_id: str, tenant: str | None, caller: Caller, *, consistent: bool = True) -> JobList:
        """Return the job of a request, or the jobs of one with strategy all, as far as the caller may see them.

        As they are at this moment, or eventually consistent.
        """
        if caller.tenant is not None and tenant not in (None, caller.tenant):
            raise _none(request_id)
        whose = caller.tenant or tenant
        # The plain one as well: it was the only one before each tenant had ids of its own.
        keys = list(dict.fromkeys((job_key(request_id, whose), request_id)))
        known = dict(self._notes.load(keys, consistent=consistent))
        # A request with strategy all had no record of its own once.
        names = [f"{key}#{name}" for key, record in known.items() for name in record.branches]
        names = names if known else [f"{key}#{name}" for key in keys for name in self._providers]
        known |= self._notes.load(names, consistent=consistent) if names else {}
        found = [known[name] for name in (*keys, *names) if name in known and whose in (None, known[name].tenant)]
        if not found:
            raise _none(request_id)
        links = caller.role is not Role.VIEWER
        jobs = [self.view(record, links=links) for record in found]
        return JobList(request_id=request_id, version=_version(found), jobs=jobs)

    def view(self, record: JobRecord, *, links: bool = True) -> JobView:
        """Return a record as the API shows it."""
        signed = []
        for output in record.outputs if links else ():
            uri, url = self._signer.sign(output.key)
            signed.append(ResultOutput(s3_uri=uri, url=url, **output.model_dump(exclude={"key"})))
        return JobView(**dict(record), links=signed)


def _none(request_id: str) -> RequestRejected:
    return RequestRejected(NOT_FOUND, f"there is no job of request {request_id}")


def _version(records: Iterable[JobRecord]) -> str:
    """Return what changes whenever a record does."""
    whole = hashlib.sha256()
    for record in records:
        whole.update(record.model_dump_json(exclude={"lease_until"}).encode())
    return whole.hexdigest()[:_VERSION_DIGITS]
