"""The public keys of a vendor whose webhooks this process signs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import JSONResponse

from tools.http_server import serving
from tools.simulator import webhook


@contextmanager
def served_key_set() -> Iterator[str]:
    """Serve the key set; gives the URL under which a function finds what it checks `webhook.signature` with."""
    with serving(JSONResponse(webhook.key_set())) as url:
        yield f"{url}/jwks.json"
