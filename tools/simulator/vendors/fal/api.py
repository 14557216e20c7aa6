"""fal.ai: Flux on the synchronous host and on the queue, and the public media host."""

import re
from collections.abc import Iterable

from tools.simulator import webhook
from tools.simulator.media import catalogue, clips
from tools.simulator.wire import Call, Headers, NamedErrors, Operation, Refused, Reply, Trouble, json_reply

from . import clips as queued_clips
from . import flux
from .errors import ERRORS, platform
from .queue import FalQueue, Prepared


def _any_of(names: Iterable[str]) -> str:
    return f"(?P<model>{'|'.join(re.escape(name) for name in names)})"


_PICTURES = _any_of(flux.PRICES)
_QUEUED = _any_of([*flux.PRICES, *queued_clips.MODELS])
_FILE = re.compile(
    r"files/[0-9a-f]{16}_(?P<width>\d{1,4})x(?P<height>\d{1,4})_(?P<seed>-?\d+)\.(?P<suffix>png|jpg|webp)"
)
_CREDENTIAL_HEADERS = ("authorization", "xi-api-key", "x-api-key", "x-goog-api-key")


def _run(call: Call) -> Reply:
    prepared = flux.prepare(call)
    reply = json_reply(200, prepared.output(), {"x-fal-request-id": call.request_id})
    return Reply(200, reply.body, headers=reply.headers, purchase=prepared.purchase)


def _filtered(trouble: Trouble) -> Reply:
    return json_reply(200, flux.filtered(trouble.origin), outcome="content_rejected")


def _prepare(call: Call) -> Prepared:
    if call.path["model"] in flux.PRICES:
        return flux.prepare(call)
    return queued_clips.prepare(call)


def refuse_credentials(call: Call) -> None:
    """Media hosts are public. Raises Refused when a key was sent along all the same."""
    stats = call.world.stats
    if any(name in call.headers for name in _CREDENTIAL_HEADERS):
        stats.leaked_credentials += 1
        told = {"detail": "a media host must never be sent a credential"}
        raise Refused(json_reply(400, told, outcome="leaked_credential"))
    stats.media_fetched += 1


def _clip(call: Call) -> Reply:
    refuse_credentials(call)
    return clips.serve(call)


def _media(call: Call) -> Reply:
    refuse_credentials(call)
    kind = "jpeg" if call.path["suffix"] == "jpg" else call.path["suffix"]
    body = catalogue.image(kind, int(call.path["width"]), int(call.path["height"]), int(call.path["seed"]))
    return Reply(200, body, catalogue.IMAGE_TYPES[kind], headers={"cache-control": "public, max-age=604800"})


def _keys(_call: Call) -> Reply:
    return json_reply(200, webhook.key_set())


class Fal:
    """Four hosts of fal as four paths. The media path needs no key, and refuses one."""

    name = "fal"
    base_urls = {  # noqa: RUF012 - the protocol reads it, nobody writes
        "FAL_BASE_URL": "/fal",
        "FAL_QUEUE_BASE_URL": "/falqueue",
        "FAL_JWKS_URL": "/falrest/.well-known/jwks.json",
    }
    errors: NamedErrors = {**ERRORS, "nsfw": _filtered}  # noqa: RUF012 - a constant table
    operations = (
        Operation("image", "fal", "POST", re.compile(_PICTURES), _run, limited=True, paid=True),
        Operation("media", "falmedia", "GET", _FILE, _media, public=True),
        Operation("media", "falmedia", "GET", clips.FILE, _clip, public=True),
        Operation("webhook_keys", "falrest", "GET", re.compile(r"\.well-known/jwks\.json"), _keys, public=True),
        *FalQueue(_QUEUED, _prepare, errors).operations,
    )

    def credential(self, headers: Headers) -> str | None:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        return key if scheme == "Key" else None

    def unknown_path(self, _path: str) -> Reply:
        return platform(404, "unmatched", "Application not found")

    def headers(self, call: Call, _now: float) -> dict[str, str]:
        return {} if call.operation.public else {"x-fal-request-id": call.request_id}


SIMULATED = Fal()
