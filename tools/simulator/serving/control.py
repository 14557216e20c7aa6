"""The admin endpoints: faults, voices, statistics, configuration. Nothing here belongs to a vendor."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tools.simulator.config import SimulatorConfig, describe
from tools.simulator.state.faults import FaultRule
from tools.simulator.state.voices import VoiceRule
from tools.simulator.state.world import World
from tools.simulator.wire import Vendor

_BAD_REQUEST = 400
_NOT_FOUND = 404


def _refuse(message: str, status: int = _BAD_REQUEST) -> Response:
    return JSONResponse({"error": message}, status)


def _of_voices(body: bytes) -> bool:
    try:
        given = json.loads(body)
    except ValueError:
        return False
    return isinstance(given, dict) and given.get("kind") == "voices"


class Control:
    """Handlers over one world."""

    def __init__(self, world: World, vendors: Mapping[str, Vendor]) -> None:
        self._world = world
        self._vendors = vendors

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/_control", self.add, methods=["POST"]),
                Route("/_control", self.listing, methods=["GET"]),
                Route("/_control", self.clear, methods=["DELETE"]),
                Route("/_control/{id}", self.remove, methods=["DELETE"]),
                Route("/_stats", self.stats, methods=["GET"]),
                Route("/_stats/paid", self.paid, methods=["GET"]),
                Route("/_stats/calls", self.calls, methods=["GET"]),
                Route("/_reset", self.reset, methods=["POST"]),
                Route("/_config", self.configure, methods=["PUT"]),
            ]
        )

    async def add(self, request: Request) -> Response:
        body = await request.body()
        try:
            rule = (VoiceRule if _of_voices(body) else FaultRule).model_validate_json(body)
        except ValidationError as error:
            return _refuse(describe(error))
        if problem := self._unknown_name(rule):
            return _refuse(problem)
        if isinstance(rule, VoiceRule):
            return JSONResponse({"id": self._world.voices.add(rule)}, 201)
        return JSONResponse({"id": self._world.faults.add(rule, self._world.clock())}, 201)

    def _unknown_name(self, rule: FaultRule | VoiceRule) -> str | None:
        if rule.vendor is not None and rule.vendor not in self._vendors:
            return f"vendor: {rule.vendor!r} is not simulated; there are {', '.join(sorted(self._vendors))}"
        if isinstance(rule, VoiceRule):
            return None
        chosen = [self._vendors[rule.vendor]] if rule.vendor else list(self._vendors.values())
        shared = set.intersection(*(set(vendor.errors) for vendor in chosen))
        if rule.error is not None and rule.error not in shared:
            return f"error: {rule.error!r} is not one of {', '.join(sorted(shared))}"
        return None

    async def listing(self, _request: Request) -> Response:
        return JSONResponse({"faults": self._world.faults.listing(self._world.clock())})

    async def clear(self, _request: Request) -> Response:
        self._world.faults.clear()
        self._world.voices.clear()
        return Response(status_code=204)

    async def remove(self, request: Request) -> Response:
        name = request.path_params["id"]
        return Response(status_code=204) if self._world.faults.remove(name) else _refuse(f"no fault {name}", _NOT_FOUND)

    async def stats(self, _request: Request) -> Response:
        return JSONResponse(self._world.stats.snapshot())

    async def paid(self, request: Request) -> Response:
        return JSONResponse(self._world.stats.paid(request.query_params.get("vendor")))

    async def calls(self, _request: Request) -> Response:
        return JSONResponse({"calls": [asdict(call) for call in self._world.stats.calls]})

    async def reset(self, _request: Request) -> Response:
        self._world.reset()
        return Response(status_code=204)

    async def configure(self, request: Request) -> Response:
        try:
            self._world.configure(SimulatorConfig.model_validate_json(await request.body()))
        except ValidationError as error:
            return _refuse(describe(error))
        return Response(status_code=204)
