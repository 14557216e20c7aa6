"""What publishing over HTTP takes and gives."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from mediarelay.api.contract import JobView
from mediarelay.api.problem import Problem
from mediarelay.vocabulary.kinds import JobStatus
from mediarelay.vocabulary.model import Record

LOOKUP_LIMIT = 100
JobName = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class TakenRequest(Record):
    """A request that is on the queue, or was before."""

    request_id: str = Field(description="By which its job is known: the body's, the key's, or the SQS message id.")
    job: str = Field(description="The record's key.")
    status: JobStatus = Field(description="queued, or where the job stands that was published before.")
    links: dict[str, str] = Field(description="self: where its job is, below the API's address.")


class Published(Record):
    """One request of several."""

    taken: TakenRequest | None = Field(default=None, description="Where it is on the queue.")
    error: Problem | None = Field(default=None, description="Why it is not.")


class PublishedList(Record):
    """What became of several requests."""

    items: list[Published] = Field(description="In their order.")


class Lookup(BaseModel):
    """Requests to look up."""

    model_config = ConfigDict(extra="forbid")

    ids: list[JobName] = Field(min_length=1, max_length=LOOKUP_LIMIT, description="As published, or as answered.")
    tenant: JobName | None = Field(default=None, description="Whose they are, where they have a tenant.")


class Found(Record):
    """What became of requests."""

    jobs: list[JobView] = Field(description="Of strategy all, the jobs of each provider as well.")
    missing: list[str] = Field(description="Ids of which there is no job.")


class Ended(Record):
    """What became of a wish to cancel."""

    status: JobStatus = Field(description="Where the job stands; a settled one is left alone.")
