"""Who may do what: the one table of routes that checks, the OpenAPI document, the documentation and tests go by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mediarelay.api.tokens import Role
from mediarelay.vocabulary.errors import RequestRejected
from mediarelay.vocabulary.frozen import frozen

PREFIX: Final = "/api/v1"
# The code of what a role may not do.
FORBIDDEN: Final = "not_allowed"
# And of what does not exist, or is another tenant's.
NOT_FOUND: Final = "not_found"

_READERS: Final = frozenset({Role.VIEWER, Role.OPERATOR})
_OPERATORS: Final = frozenset({Role.OPERATOR})
_PUBLISHERS: Final = frozenset({Role.PUBLISHER, Role.OPERATOR})
_ALL: Final = frozenset(Role)
# By method and path below `PREFIX`. A publisher sees and does what is of its own tenant.
ACCESS: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {
        "GET /overview": _READERS,
        "GET /providers/health": _READERS,
        "GET /providers/<provider>/health": _READERS,
        "GET /keys": _READERS,
        "GET /jobs": _ALL,
        "GET /jobs/<request_id>": _ALL,
        "GET /jobs/<request_id>/wait": _ALL,
        "POST /requests": _PUBLISHERS,
        "POST /jobs/lookup": _ALL,
        "DELETE /jobs/<request_id>": _PUBLISHERS,
        "POST /jobs/<request_id>/tell": _OPERATORS,
        "GET /usage": _ALL,
        "GET /incidents": _READERS,
        "GET /budgets": _ALL,
        "POST /budgets": _OPERATORS,
        "GET /overrides": _READERS,
        "POST /overrides": _OPERATORS,
        "DELETE /overrides/<subject>": _OPERATORS,
        "GET /dlq": _READERS,
        "POST /dlq/redrive": _OPERATORS,
        "DELETE /dlq/<request_id>": _OPERATORS,
        "GET /models": _ALL,
        "GET /voices": _ALL,
        "GET /audit": _OPERATORS,
        "GET /openapi.json": _ALL,
    }
)
# The routes in OpenAI's shape, which have an address of their own.
OPENAI_ACCESS: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    dict.fromkeys(
        (
            "POST /v1/audio/speech",
            "POST /v1/images/generations",
            "POST /v1/videos",
            "GET /v1/videos",
            "GET /v1/videos/<video_id>",
            "GET /v1/videos/<video_id>/content",
            "DELETE /v1/videos/<video_id>",
            "GET /v1/models",
            "GET /v1/models/<model>",
        ),
        _PUBLISHERS,
    )
)


def roles_of(
    method: str, path: str, access: Mapping[str, frozenset[Role]] = ACCESS, prefix: str = PREFIX
) -> frozenset[Role] | None:
    """Return who may use the route that serves this; None where no route does. Only a model's name has slashes."""
    for name, roles in access.items():
        verb, template = name.split(" ")
        pattern = re.sub(r"<[a-z_]+>", "[^/]+", template.replace("<model>", ".+"))
        if verb == method and re.fullmatch(prefix + pattern, path):
            return roles
    return None


@frozen
class Caller:
    """Whose token a request came with. `tenant` is a publisher's."""

    name: str
    role: Role
    tenant: str | None = None

    def of_tenant(self, asked: str | None) -> str | None:
        """Return the tenant that the caller acts for. Raises `RequestRejected` for another publisher's."""
        if self.role is not Role.PUBLISHER:
            return asked
        if asked not in (None, self.tenant):
            raise RequestRejected(FORBIDDEN, "tenant: another one than the token's")
        return self.tenant


def caller_of(authorizer: Mapping[str, object]) -> Caller:
    """Return the caller by what the authorizer says. One of an earlier version says no role."""
    role, tenant = authorizer.get("role"), authorizer.get("tenant")
    known = Role(str(role)) if role in set(Role) else Role.VIEWER
    return Caller(str(authorizer.get("token") or ""), known, str(tenant) if tenant else None)
