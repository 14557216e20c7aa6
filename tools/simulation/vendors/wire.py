"""Vendors as the shipped services reach them: the simulator's answers, within the limits that are true."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final
from urllib.parse import urlencode, urlsplit

from mediarelay.http.messages import HttpRequest
from mediarelay.providers import listing
from mediarelay.providers.catalogue import models
from mediarelay.vocabulary.errors import Unreachable
from tests.doubles.clock import EPOCH
from tests.doubles.scripted_http import Answer
from tools.simulation.arrivals import Request
from tools.simulation.loop import Loop, current
from tools.simulation.scenario import Fault, Scenario
from tools.simulation.vendors.jobs import AtOnce, WholeFile
from tools.simulation.vendors.truth import VendorState
from tools.simulator.state.recorded import recorded
from tools.simulator.state.world import World
from tools.simulator.vendors import VENDORS
from tools.simulator.wire import BadBody, Call, Operation, Refused, Reply, SigningVendor, Trouble, Vendor, json_reply

ADDRESS: Final = "https://vendors.invalid"
# From the worker to the vendor.
TRAVEL_SECONDS: Final = (0.001, 0.01)
# What a vendor takes to refuse, and to answer what is no work.
REFUSAL_SECONDS: Final = 0.02
# What a vendor takes to accept a job.
SUBMIT_SECONDS: Final = 0.2
HUGE_SECONDS: Final = 3600
# After a refusal that no limit made, the right wait is short.
ISOLATED_WAIT: Final = 1.0
KEPT_REPLIES: Final = 256
_ERRORS: Final[Mapping[str, str]] = {
    "401": "bad_key",
    "403": "permission_denied",
    "404": "not_found",
    "429": "rate_limited",
    "500": "server_error",
    "503": "overloaded",
    "504": "timeout",
}
_WAIT_IN_WORDS: Final = re.compile(rb"\s*(?:Please )?(?:try again|retry) (?:in|after) [\d.]+ ?\w+\.?", re.IGNORECASE)
_WAIT_IN_BODY: Final = re.compile(rb'"(?:retryDelay|retry_after)"\s*:\s*("[^"]*"|[\d.]+)')


@dataclass(slots=True)
class CallMade:
    """One call of those that limits are for; `ended` when its answer is there."""

    provider: str
    at: float
    refused: bool
    status: int
    ended: float


@dataclass
class Wire:
    """Implements `http.ports.HttpClient` in virtual time.

    Attributes:
        calls: Those made.
        purchases: How many of them are paid for.
        lost: What the vendor answers for an account that is no good any more, by vendor and number.
    """

    loop: Loop
    scenario: Scenario
    vendors: Mapping[str, VendorState]
    simulator: World
    dice: Random
    at_once: AtOnce
    calls: list[CallMade] = field(default_factory=list)
    purchases: int = 0
    lost: dict[tuple[str, int], str] = field(default_factory=dict)
    _replies: dict[tuple[str, str, bytes], Reply] = field(default_factory=dict)

    @contextmanager
    def send(self, request: HttpRequest, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.send`."""
        vendor, operation, path = _route(request)
        self.loop.sleep(self.dice.uniform(*TRAVEL_SECONDS))
        call = self._call(request, vendor, operation, path)
        reply, seconds = self._limited(vendor, call) if _is_limited(operation) else self._answered(vendor, call)
        left = deadline - EPOCH - self.loop.now
        if seconds > left:
            self.loop.sleep(max(0.0, left))
            raise Unreachable("read_timeout", "no answer in time", sent=True)
        self.loop.sleep(seconds)
        body = reply.body if reply.stream is None else self.at_once.read(reply.stream)
        yield Answer(reply.status, body, {"content-type": reply.content_type, **reply.headers})

    @contextmanager
    def fetch(self, url: str, *, deadline: float) -> Iterator[Answer]:
        """See `http.ports.HttpClient.fetch`."""
        with self.send(HttpRequest("GET", urlsplit(url).path, {}, base_url=ADDRESS), deadline=deadline) as answer:
            yield answer

    @contextmanager
    def open(
        self, url: str, *, hosts: Sequence[str], offset: int, version: str, deadline: float
    ) -> Iterator[WholeFile]:
        """See `long_jobs.transfer.ports.MediaFetcher.open`."""
        del hosts
        with self.fetch(url, deadline=deadline) as answer:
            yield WholeFile(answer.body, offset if version else 0)

    def _call(self, request: HttpRequest, vendor: Vendor, operation: Operation, path: Mapping[str, str]) -> Call:
        headers = {name.lower(): value for name, value in request.headers.items()}
        holder = isinstance(vendor, SigningVendor) and vendor.signer(headers, self.simulator.accounts)
        return Call(
            operation=operation,
            path=path,
            query_string=urlencode(request.params),
            headers=headers,
            body=request.body or b"",
            holder=holder or self.simulator.accounts.find(vendor.name, vendor.credential(headers)),
            origin=ADDRESS,
            request_id="00000000-51b0-4000-8000-000000000000",
            world=self.simulator,
        )

    def _answered(self, vendor: Vendor, call: Call) -> tuple[Reply, float]:
        """Answer what has no limit, such as a probe; a provider that is broken for all is broken for that as well."""
        for provider in self.scenario.providers:
            if listing.providers()[provider].vendor == vendor.name:
                fault = self._fault(provider, call, None)
                if fault is not None and fault.model is None:
                    return self._faulty(vendor, call, fault), REFUSAL_SECONDS
        account = call.holder.account
        if account is not None and self.lost.get((vendor.name, int(account.name))) == "bad_key":
            return vendor.errors["bad_key"](Trouble(account)), REFUSAL_SECONDS
        return self._work(vendor, call), REFUSAL_SECONDS

    def _limited(self, vendor: Vendor, call: Call) -> tuple[Reply, float]:
        """Admit the call, or refuse it; returns the answer, and how long it takes."""
        provider, now = self._provider(vendor, call), self.loop.now
        made = CallMade(provider, now, refused=False, status=0, ended=now)
        self.calls.append(made)
        reply, seconds = self._admitted(vendor, call, made)
        made.status, made.ended = reply.status, now + seconds
        return reply, seconds

    def _admitted(self, vendor: Vendor, call: Call, made: CallMade) -> tuple[Reply, float]:
        account, now, subject = call.holder.account, made.at, current().subject
        if account is None:
            return vendor.errors["bad_key"](Trouble()), REFUSAL_SECONDS
        error = self.lost.get((vendor.name, int(account.name)))
        if error is not None:
            return vendor.errors[error](Trouble(account)), REFUSAL_SECONDS
        fault = self._fault(made.provider, call, subject)
        if fault is not None:
            made.refused = fault.answer == "429"
            return self._faulty(vendor, call, fault), REFUSAL_SECONDS
        state = self.vendors[vendor.name]
        owner = state.owners[int(account.name)]
        cost = 1.0 if state.truth.counts == "requests" or not isinstance(subject, Request) else len(subject.text)
        if state.truth.random_refusals and self.dice.random() < state.truth.random_refusals:
            made.refused = True
            return self._refusal(vendor, call, "rate_limited", ISOLATED_WAIT), REFUSAL_SECONDS
        ready = owner.ready_at(now, cost)
        if ready > now:
            made.refused = True
            of_slots = math.isinf(ready)
            error = "concurrency_limited" if of_slots else "rate_limited"
            return self._refusal(vendor, call, error, None if of_slots else ready - now), REFUSAL_SECONDS
        owner.take(now, cost)
        reply = self._work(vendor, call)
        self.purchases += reply.purchase is not None
        seconds = self.seconds_of_work()
        self.loop.at(now + seconds, owner.release)
        return reply, seconds if call.operation.limited or reply.stream is not None else SUBMIT_SECONDS

    def seconds_of_work(self) -> float:
        """Return what the call takes that serves what is worked on."""
        subject = current().subject
        return subject.service if isinstance(subject, Request) else self.scenario.service.median

    def _work(self, vendor: Vendor, call: Call) -> Reply:
        """Have the simulator answer. The same question is answered once, unless its answer begins something."""
        name = (vendor.name, call.operation.name, call.body)
        limited = call.operation.limited
        known = self._replies.get(name) if limited and not call.path else None
        if known is not None:
            return known
        try:
            reply = call.operation.handler(call)
        except Refused as refused:
            return refused.reply
        except BadBody:
            return vendor.errors["invalid_request"](Trouble())
        if reply.commit is not None:
            reply.commit()
        elif limited and len(self._replies) < KEPT_REPLIES and not call.path:
            self._replies[name] = reply
        return reply

    # --- answers in the place of a result ---------------------------------------------------------------------------

    def _fault(self, provider: str, call: Call, subject: object) -> Fault | None:
        now = self.loop.now
        for fault in self.scenario.faults:
            if fault.provider != provider or not fault.since <= now < (math.inf if fault.to is None else fault.to):
                continue
            if fault.text is not None and not (isinstance(subject, Request) and subject.text == fault.text):
                continue
            if fault.model is not None and fault.model not in f"{call.path} {call.body!r}":
                continue
            if fault.share >= 1.0 or self.dice.random() < fault.share:
                return fault
        return None

    def _faulty(self, vendor: Vendor, call: Call, fault: Fault) -> Reply:
        if fault.answer in recorded():
            return recorded()[fault.answer]
        if fault.answer in _ERRORS:
            return vendor.errors[_ERRORS[fault.answer]](Trouble(call.holder.account))
        return json_reply(int(fault.answer), {"error": {"message": "the vendor answers so in this scenario"}})

    def _refusal(self, vendor: Vendor, call: Call, error: str, wait: float | None) -> Reply:
        """Refuse for the rate, and say of the wait what this vendor says."""
        says = self.vendors[vendor.name].truth.wait
        reply = vendor.errors[error](Trouble(call.holder.account, wait or 1.0))
        if says == "right" and wait is not None:
            return reply
        silent = {name: value for name, value in reply.headers.items() if "retry" not in name and "reset" not in name}
        body = _WAIT_IN_BODY.sub(b'"left_out":""', _WAIT_IN_WORDS.sub(b"", reply.body))
        told: dict[str, str] = {}
        if wait is not None and says != "none":
            at = EPOCH + self.loop.now + wait
            told["retry-after"] = str({"epoch": math.ceil(at), "huge": HUGE_SECONDS}.get(says, 0))
        return replace(reply, body=body, headers={**silent, **told})

    def _provider(self, vendor: Vendor, call: Call) -> str:
        """Return which of the vendor's providers is called: of those allowed, the one whose model the call names."""
        mine = [name for name in self.scenario.providers if listing.providers()[name].vendor == vendor.name]
        return mine[0] if len(mine) == 1 else next((name for name in mine if _names(name, call)), vendor.name)


def _names(provider: str, call: Call) -> bool:
    seen = f"{call.path} {call.body!r}"
    return any(model in seen for model in models(provider))


def _is_limited(operation: Operation) -> bool:
    """Tell whether limits are for it: calls that do the work, or begin it."""
    return operation.limited or operation.paid


def _route(request: HttpRequest) -> tuple[Vendor, Operation, Mapping[str, str]]:
    """Find the vendor, what is asked of it, and what the path says."""
    mount, _, rest = urlsplit(request.url).path.lstrip("/").partition("/")
    for vendor in VENDORS.values():
        for operation in vendor.operations:
            if operation.mount == mount and operation.method == request.method:
                found = operation.pattern.fullmatch(rest)
                if found:
                    return vendor, operation, found.groupdict()
    raise Unreachable("connect_failed", f"no vendor has {request.method} {request.url}", sent=False)


def addresses() -> Mapping[str, str]:
    """Return the address of every provider in this world."""
    own = {name: f"{ADDRESS}{path}" for vendor in VENDORS.values() for name, path in vendor.base_urls.items()}
    return listing.base_urls({}, own)
