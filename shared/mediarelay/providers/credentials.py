"""Credentials: where a vendor's come from, and the ways of putting one into a request.

A credential is one string: the secret of a key, or the function's own role as `FunctionRole.credential` writes it. A
signer is a function `(request, credential, *, now) -> HttpRequest`, which a capability has as its `sign`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from mediarelay.http.messages import HttpRequest

# Lambda gives every function its role's credentials under these names.
ROLE_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The vendor knows us by keys.

    Attributes:
        plural: The variable, or the field of the secret, that lists them.
        singular: Read in this order when the plural one is missing or empty.
    """

    plural: str
    singular: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """All of them; the first that is not empty counts."""
        return (self.plural, *self.singular)


@dataclass(frozen=True, slots=True)
class RoleCredential:
    """Temporary credentials of a role; `session_token` is empty for a user's own."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FunctionRole:
    """The vendor knows the function by its role: there is one credential, and no key to configure or to rotate."""

    def credential(self, values: Mapping[str, Any]) -> str | None:
        """Returns the role in these environment variables as one string; None where there is none."""
        found = [str(values.get(name) or "") for name in ROLE_VARIABLES]
        return json.dumps(found) if all(found[:2]) else None

    def read(self, credential: str) -> RoleCredential:
        """Returns what `credential` wrote, for a signer."""
        return RoleCredential(*json.loads(credential))


Credentials = ApiKeys | FunctionRole
Signer = Callable[..., HttpRequest]


def bearer_key(request: HttpRequest, credential: str, *, now: float) -> HttpRequest:
    """Send the key as a bearer token. Nothing is signed, so *now* is not used."""
    del now
    return request.with_headers({"authorization": f"Bearer {credential}"})


def header_key(name: str, scheme: str = "") -> Signer:
    """Returns a signer that sends the key as it is in that header, behind the vendor's own scheme if it has one."""

    def sign(request: HttpRequest, credential: str, *, now: float) -> HttpRequest:
        del now
        return request.with_headers({name: f"{scheme} {credential}" if scheme else credential})

    return sign
