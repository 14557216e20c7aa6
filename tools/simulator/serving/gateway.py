"""From a request to a reply: find the operation and the caller, apply faults and limits, do the work, bill it."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tools.simulator.state.accounts import Account, KeyHolder
from tools.simulator.state.faults import FaultRule, Target, named_reply
from tools.simulator.state.stats import CallSeen
from tools.simulator.state.world import World
from tools.simulator.wire import (
    BadBody,
    Call,
    Operation,
    Purchase,
    Refused,
    Reply,
    SigningVendor,
    Trouble,
    Vendor,
    failed,
    json_reply,
)

from .delivery import Wire, deliver

_HTML = b"<!doctype html><html><body><h1>Service status</h1><p>Please sign in to the network.</p></body></html>"
_BEFORE_WORK = frozenset({"status", "timeout", "reset", "wrong_content_type"})


class Gateway:
    """Serves every vendor's routes."""

    def __init__(self, world: World, vendors: Mapping[str, Vendor]) -> None:
        self._world = world
        self._vendors = vendors
        self._numbers = itertools.count(1)
        self._mounts: dict[str, list[tuple[Vendor, Operation]]] = {}
        for vendor in vendors.values():
            for operation in vendor.operations:
                self._mounts.setdefault(operation.mount, []).append((vendor, operation))

    async def serve(self, scope: Mapping[str, Any], wire: Wire) -> None:
        """Answer one HTTP request."""
        mount, _, rest = scope["path"].lstrip("/").partition("/")
        for vendor, operation in self._mounts.get(mount, ()):
            if operation.method == scope["method"] and (found := operation.pattern.fullmatch(rest)):
                try:
                    call = await self._call(scope, wire, vendor, operation, found.groupdict())
                except Refused as refused:
                    await deliver(refused.reply, None, wire)
                else:
                    await self._answer(vendor, call, wire)
                return
        self._world.stats.unmatched(scope["method"], scope["path"])
        known = self._mounts.get(mount)
        reply = (
            known[0][0].unknown_path(scope["path"]) if known else json_reply(404, {"error": "no vendor has this path"})
        )
        await wire.body()
        await deliver(reply, None, wire)

    async def _call(
        self, scope: Mapping[str, Any], wire: Wire, vendor: Vendor, operation: Operation, path: Mapping[str, str]
    ) -> Call:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return Call(
            operation=operation,
            path=path,
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=await wire.body(),
            holder=self._holder(vendor, headers),
            origin=f"http://{headers.get('host', '127.0.0.1')}",
            request_id=f"{next(self._numbers):08x}-51b0-4000-8000-{vendor.name.encode().hex()[:12]:0<12}",
            world=self._world,
        )

    def _holder(self, vendor: Vendor, headers: Mapping[str, str]) -> KeyHolder:
        if isinstance(vendor, SigningVendor) and (holder := vendor.signer(headers, self._world.accounts)):
            return holder
        return self._world.accounts.find(vendor.name, vendor.credential(headers))

    async def _answer(self, vendor: Vendor, call: Call, wire: Wire) -> None:
        row = self._world.stats.row(vendor.name, call.operation.name, call.holder)
        reply = Reply(0, outcome="abandoned")
        began = time.time()
        row.enter()
        try:
            target = Target(vendor.name, call.operation.name, call.holder, call.body)
            rule, delay = self._world.faults.choose(target, self._world.clock())
            if delay:
                await asyncio.sleep(delay)
            reply = await self._reply(vendor, call, rule)
            reply = replace(reply, headers={**vendor.headers(call, self._world.clock()), **reply.headers})
            await deliver(reply, rule, wire)
        finally:
            row.leave(reply)
            seen = CallSeen(vendor.name, call.operation.name, call.holder.key_id, began, time.time(), reply.outcome)
            self._world.stats.calls.append(seen)

    async def _reply(self, vendor: Vendor, call: Call, rule: FaultRule | None) -> Reply:
        if rule is None:
            return await self._admit(vendor, call)
        if rule.kind not in _BEFORE_WORK:
            return replace(await self._admit(vendor, call), outcome=rule.kind)
        if rule.kind == "status":
            return named_reply(rule, vendor.errors, self._trouble(call))
        if rule.kind == "wrong_content_type":
            return Reply(200, _HTML, "text/html; charset=utf-8", outcome=rule.kind)
        return Reply(0, outcome=rule.kind)

    def _trouble(self, call: Call, wait: float = 1.0, cost: float = 0.0) -> Trouble:
        return Trouble(call.holder.account, wait, cost, call.origin, call.request_id)

    async def _admit(self, vendor: Vendor, call: Call) -> Reply:
        if call.operation.public:
            return await self._perform(vendor, call)
        account = call.holder.account
        if account is None or account.state == "disabled":
            return vendor.errors["bad_key"](self._trouble(call))
        if call.operation.paid and account.state == "out_of_quota":
            return vendor.errors["quota_exhausted"](self._trouble(call, cost=1.0))
        return await (self._limited if call.operation.limited else self._perform)(vendor, call)

    async def _limited(self, vendor: Vendor, call: Call) -> Reply:
        if wait := call.account.take_request(self._world.clock()):
            return vendor.errors["rate_limited"](self._trouble(call, wait))
        if not call.account.slots.try_take():
            return vendor.errors["concurrency_limited"](self._trouble(call))
        with self._slot(call.account):
            return await self._perform(vendor, call)

    @contextmanager
    def _slot(self, account: Account) -> Iterator[None]:
        gauge = self._world.stats.gauge(account.vendor, account.name)
        gauge.change(+1)
        try:
            yield
        finally:
            gauge.change(-1)
            account.slots.release()

    async def _perform(self, vendor: Vendor, call: Call) -> Reply:
        try:
            reply = call.operation.handler(call)
        except Refused as refused:
            return refused.reply
        except BadBody:
            return vendor.errors["invalid_request"](self._trouble(call))
        if reply.purchase and not call.account.can_afford(reply.purchase.cost):
            return vendor.errors["quota_exhausted"](self._trouble(call, cost=reply.purchase.cost))
        if reply.purchase:
            call.account.spend(reply.purchase.cost)
        if not failed(reply) and (seconds := self._world.latency.draw(vendor.name, call.operation.name)):
            await asyncio.sleep(seconds)
        if reply.purchase:
            self._book(vendor, call, reply.purchase)
        if reply.commit:
            reply.commit()
        return reply

    def _book(self, vendor: Vendor, call: Call, purchase: Purchase) -> None:
        stats = self._world.stats
        stats.bought(vendor.name, stats.row(vendor.name, call.operation.name, call.holder), purchase)
