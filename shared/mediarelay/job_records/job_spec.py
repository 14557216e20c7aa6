"""One message, one or several jobs: strategy `all` makes one job per provider. And what was bought for a job."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple
from zlib import crc32

from pydantic_core import to_json

from mediarelay.job_records.claims import Group, Rejection
from mediarelay.job_records.contract import PART
from mediarelay.request.bounds import OF_TENANT
from mediarelay.vocabulary.frozen import frozen
from mediarelay.vocabulary.kinds import Kind, SpendingState, Strategy

# Only for annotations: who writes down what a job has cost needs neither requests nor providers.
if TYPE_CHECKING:
    from mediarelay.job_records.contract import JobError, Spending
    from mediarelay.job_records.ports import Purse
    from mediarelay.providers.offers import Route
    from mediarelay.request.model import MediaRequest

# A message without a deadline must end too: an hour outlasts every provider's rate window and most outages, and is
# shorter than any publisher waits for speech or a picture.
DEFAULT_TIMEOUT_SECONDS: Final = {Kind.TTS: 3600, Kind.IMAGE: 3600, Kind.VIDEO: 4 * 3600, Kind.AUDIO: 4 * 3600}

# Records stay a week after the job's deadline: long enough to explain a bill; then DynamoDB's TTL deletes them.
RECORD_SECONDS: Final = 7 * 24 * 3600


@frozen
class JobSpec:
    """One job to serve.

    Attributes:
        job_id: The key in the Jobs table.
        request: The publisher's request.
        routes: The providers that may serve it, best first; never empty.
        received_at: When the message was first published, unix ms.
        expires_at: The deadline, unix seconds.
        fingerprint: Tells a duplicate from another request under the same id.
        known: Whether an earlier delivery probably claimed the job already.
        in_parts: Whether it is a text that no model takes at once; the routes are then those of a sample of it.
        reuse_key: By which identical requests find its result; None unless it is to be shared.
        lost: Whether the workers that received it were lost one after the other: it is ended, and not served again.
        message_id: SQS's id of its message, as it was first published.
        asked: What its record keeps of the request, by its field; None of nothing.
    """

    job_id: str
    request: MediaRequest
    routes: Sequence[Route]
    received_at: int
    expires_at: int
    fingerprint: str
    known: bool = False
    in_parts: bool = False
    reuse_key: str | None = None
    lost: bool = False
    message_id: str | None = None
    asked: Mapping[str, str] | None = None


def job_key(request_id: str, tenant: str | None) -> str:
    """Return the key of a request's job: its id, which is its tenant's own where it has one.

    Everything that is kept of a job follows from it: record, branches, parts, files, executions, slots.
    """
    return request_id if tenant is None else f"{tenant}{OF_TENANT}{request_id}"


def job_id_of(request: MediaRequest, request_id: str, provider: str) -> str:
    """Return the id of the job that the provider may serve."""
    return f"{request_id}#{provider}" if request.strategy is Strategy.ALL else request_id


def job_specs(
    request: MediaRequest,
    request_id: str,
    routes: Sequence[Route],
    received_at: int,
    *,
    known: bool = False,
    in_parts: bool = False,
    message_id: str | None = None,
) -> list[JobSpec]:
    """Return the jobs of a request."""
    facts = received_at, deadline_of(request, received_at), fingerprint_of(request), known, in_parts
    if request.strategy is Strategy.ALL:
        shares = [_share(request, route.offer.cost_usd, routes) for route in routes]
        pairs = zip(routes, shares, strict=True)
        return [JobSpec(route.call.request_id, own, [route], *facts, message_id=message_id) for route, own in pairs]
    return [JobSpec(request_id, request, routes, *facts, message_id=message_id)]


def _share(request: MediaRequest, price_usd: float, routes: Sequence[Route]) -> MediaRequest:
    """Return the request as one of its jobs has it, which may cost its price and its part of what is left."""
    if request.max_cost_usd is None:
        return request
    left = request.max_cost_usd - sum(route.offer.cost_usd for route in routes)
    return request.model_copy(update={"max_cost_usd": price_usd + max(0.0, left) / len(routes)})


def group_of(specs: Sequence[JobSpec], request_id: str, ttl: int, opened_at: int) -> Group:
    """Return the group of a request's jobs, to be opened at that moment (unix ms)."""
    first = specs[0]
    return Group(
        request_id,
        first.request.kind,
        first.fingerprint,
        first.received_at,
        first.expires_at,
        ttl,
        [spec.routes[0].offer.provider for spec in specs],
        first.request.tenant,
        opened_at,
    )


def rejection_of(spec: JobSpec, error: JobError, settled_at: int, ttl: int) -> Rejection:
    """Return the rejection of a job that was not begun, at that moment (unix ms)."""
    return Rejection(
        spec.job_id,
        spec.received_at,
        settled_at,
        error,
        ttl,
        spec.request.kind,
        spec.request.tenant,
        metadata=spec.request.metadata,
        message_id=spec.message_id,
        client=spec.request.client,
        reply_to=spec.request.reply_to,
        callback_url=spec.request.callback_url,
        callback_body=spec.request.callback_body,
    )


def deadline_of(request: MediaRequest, received_at: int) -> int:
    """Return the deadline of a request that was first published then (unix ms), in unix seconds."""
    return received_at // 1000 + (request.timeout_seconds or DEFAULT_TIMEOUT_SECONDS[request.kind])


EXCERPT_CHARACTERS: Final = 200
KEPT_BYTES: Final = 64 * 1024


def excerpt_of(request: MediaRequest) -> Mapping[str, str]:
    """Return the beginning of what was asked, as a record keeps it."""
    asked = request.input.model_dump(include={"text", "prompt"})
    return {"excerpt": "".join(asked.values())[:EXCERPT_CHARACTERS]}


def whole_of(request: MediaRequest) -> Mapping[str, str]:
    """Return the whole request as a record keeps it; its beginning, where it is too large."""
    asked = request.model_dump(mode="json", exclude_defaults=True, exclude={"request_id", "reply_to"})
    body = to_json({**asked, "kind": request.kind})
    return {"request": body.decode()} if len(body) <= KEPT_BYTES else excerpt_of(request)


# A request published again by another client, which waits for it elsewhere, is the same request.
_NOT_ASKED: Final = {"request_id", "client", "reply_to"}


def fingerprint_of(request: MediaRequest) -> str:
    """Return 16 hexadecimal digits of SHA-256 over what was asked, whatever the order of its fields."""
    asked = request.model_dump(mode="json", exclude=_NOT_ASKED, exclude_defaults=True)
    return hashlib.sha256(to_json(_sorted(asked))).hexdigest()[:16]


_ASKED: Final = {"kind", "input", "strategy", "providers", "options"}


def reuse_key_of(spec: JobSpec) -> str:
    """Return the key that identical requests of a tenant have in common: the tenant, and SHA-256 over what is asked.

    What is asked is also by which model and with which voice each provider would serve it: where the catalogue or the
    voice book says something else than before, an older result is no longer what is asked for.
    """
    request = spec.request
    asked = request.model_dump(mode="json", include=_ASKED, exclude_defaults=True)
    speakers = [(route.call.model.provider, route.call.model.id, route.call.voice) for route in spec.routes]
    asked["by"] = sorted([name, model, voice.id if voice else ""] for name, model, voice in speakers)
    return f"{request.tenant or ''}#{hashlib.sha256(to_json(_sorted(asked))).hexdigest()}"


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        fields = sorted(value.items())
        return {name: _sorted(each) if isinstance(each, (dict, list)) else each for name, each in fields}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


# One key of an index takes a thousand writes a second, and a table is held up where its index is: a job is two of them.
LISTING_SHARDS: Final = 24
DAY_MS: Final = 24 * 3600 * 1000


def listed(job_id: str, received_at: int) -> str | None:
    """Return under which key of the index a job is listed, one of `listings`; None of a part, which is not."""
    return None if PART in job_id else f"{received_at // DAY_MS}#{crc32(job_id.encode()) % LISTING_SHARDS}"


def listings(day: int) -> Sequence[str]:
    """Return the keys under which the jobs are listed that were received on a day, counted since 1970, UTC."""
    return [f"{day}#{shard}" for shard in range(LISTING_SHARDS)]


# --- money --------------------------------------------------------------------------------------------------------

# Of purchases that cost nothing, a record keeps the newest: they explain, and a job put off all day has hundreds.
FREE_KEPT: Final = 10
_ROUNDING_USD: Final = 1e-7


class Spent(NamedTuple):
    """What a job has cost; `certain` unless a purchase counts with its estimate."""

    purchases: Sequence[Spending]
    cost_usd: float
    certain: bool


def spent(purchases: Sequence[Spending]) -> Spent:
    """Add up a job's purchases: what was charged, and the estimates of what may have been.

    The only place where the cost of a job is computed. A call that was under way and of which no end is known may have
    been charged.
    """
    ended, cost_usd, certain = [], 0.0, True
    for each in kept(purchases):
        match each.state:
            case SpendingState.NOT_CHARGED:
                ended.append(each)
            case SpendingState.CHARGED:
                cost_usd += each.cost_usd or 0.0
                ended.append(each)
            case _:
                cost_usd += each.estimate_usd
                certain = False
                ended.append(each.model_copy(update={"state": SpendingState.UNKNOWN}))
    return Spent(ended, cost_usd, certain)


def exceeds(usd: float, most_usd: float) -> bool:
    """Tell whether an amount is more than another: sums of floats may be off by less than a millionth of a dollar."""
    return usd > most_usd + _ROUNDING_USD


def would_cost(prices: Mapping[str, float]) -> str:
    """Return in words what these providers would cost, the cheapest first."""
    return ", ".join(f"{name} ${price:.6g}" for name, price in sorted(prices.items(), key=lambda item: item[1]))


def too_dear(
    purchases: Sequence[Spending], next_usd: float, most_usd: float | None, purse: Purse | None = None
) -> bool:
    """Tell whether a job may not be bought once more for so much, after what it has cost or may have.

    By its own bound, or by the budgets that pay for it, where more may be set aside. Raises `StoreUnavailable`.
    """
    usd = spent(purchases).cost_usd + next_usd
    return (most_usd is not None and exceeds(usd, most_usd)) or (purse is not None and not purse.reaches(usd))


def charges(purchases: Sequence[Spending]) -> Mapping[str, float]:
    """Return the cost of a job by provider; together they are what `spent` adds up to."""
    by_provider: dict[str, float] = {}
    for each in spent(purchases).purchases:
        usd = (each.cost_usd or 0.0) if each.state is SpendingState.CHARGED else each.estimate_usd
        if each.state is not SpendingState.NOT_CHARGED:
            by_provider[each.provider] = by_provider.get(each.provider, 0.0) + usd
    return by_provider


def kept(purchases: Sequence[Spending]) -> list[Spending]:
    """Return those that a record keeps: all that are charged or may be, and the newest that cost nothing."""
    if len(purchases) <= FREE_KEPT:
        return list(purchases)
    free = [number for number, each in enumerate(purchases) if each.state is SpendingState.NOT_CHARGED]
    dropped = frozenset(free[: max(0, len(free) - FREE_KEPT)])
    return [each for number, each in enumerate(purchases) if number not in dropped]


def perhaps_paid(purchases: Sequence[Spending]) -> int:
    """Count those that are charged or may be."""
    count = 0
    for each in purchases:
        count += each.state is not SpendingState.NOT_CHARGED
    return count


def revised(
    purchases: Sequence[Spending], entry: Spending, state: SpendingState, cost_usd: float | None = None
) -> list[Spending]:
    """Return those kept, with what has become of this one, which is the same as one of that provider and moment."""
    after = entry.model_copy(update={"state": state, "cost_usd": cost_usd})
    all_of_them = list(purchases)
    for number, each in enumerate(all_of_them):
        if each.at == entry.at and each.provider == entry.provider:
            all_of_them[number] = after
            return kept(all_of_them)
    return kept([*all_of_them, after])


def lost(purchases: Sequence[Spending]) -> list[Spending]:
    """Return the purchases of a worker that never settled: what it was about to make may have been made.

    A worker that finds a paid result to be fetched buys nothing beside it.
    """
    if any(each.uncollected for each in purchases):
        return [each for each in purchases if each.state is not SpendingState.SENDING]
    unknown = {"state": SpendingState.UNKNOWN}
    return [each.model_copy(update=unknown) if each.state is SpendingState.SENDING else each for each in purchases]


def adopted(purchases: Sequence[Spending], provider: str, model: str, key_id: str, cost_usd: float) -> list[Spending]:
    """Return them with the newest of which nothing was known as the one that made what was found.

    What was fetched by a link is of a purchase that is known already.
    """
    if any(each.uncollected for each in purchases):
        return [each.model_copy(update={"uncollected": None}) for each in purchases]
    charged = {"provider": provider, "model": model, "key_id": key_id, "cost_usd": cost_usd}
    for number in reversed(range(len(purchases))):
        if purchases[number].state is SpendingState.UNKNOWN:
            found = purchases[number].model_copy(update={**charged, "state": SpendingState.CHARGED})
            return [*purchases[:number], found, *purchases[number + 1 :]]
    return list(purchases)


def summed(purchases: Sequence[Spending]) -> list[Spending]:
    """Return one purchase for all of one provider, model and state, as the record of a job in many parts keeps them."""
    together: dict[tuple[str, str, SpendingState], Spending] = {}
    for each in purchases:
        if each.state is SpendingState.NOT_CHARGED:
            continue
        kind = (each.provider, each.model, each.state)
        sums = {"key_id": None, "estimate_usd": each.estimate_usd, "cost_usd": each.cost_usd}
        if (before := together.get(kind)) is not None:
            sums["estimate_usd"] = before.estimate_usd + each.estimate_usd
            sums["cost_usd"] = (before.cost_usd or 0.0) + (each.cost_usd or 0.0)
        together[kind] = (before or each).model_copy(update=sums)
    return list(together.values())


def merged(recorded: Sequence[Spending], learned: Sequence[Spending]) -> list[Spending]:
    """Return the purchases of a record, and of them what an execution has learned since."""
    purchases = list(recorded)
    for each in learned:
        for number, known in enumerate(purchases):
            if (known.provider, known.at) == (each.provider, each.at):
                if known.state in _OPEN:
                    purchases[number] = each
                break
        else:
            purchases.append(each)
    return purchases


_OPEN: Final = (SpendingState.SENDING, SpendingState.UNKNOWN)
