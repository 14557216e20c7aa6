"""Credentials: where a vendor's come from, and the ways of putting one into a request.

A credential is one string: the secret of a key, or the function's own role as `FunctionRole.credential` writes it. A
signer is a function `(request, credential, *, now) -> HttpRequest`, which a capability has as its `sign`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from mediarelay.http.messages import HttpRequest
from mediarelay.vocabulary.frozen import frozen

# Lambda gives every function its role's credentials under these names.
ROLE_VARIABLES: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")
ON: Final = "on"
OFF: Final = "off"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REGION: Final = re.compile(r"\.([a-z]+(?:-[a-z]+)+-[0-9])\.")


@frozen
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


@frozen
class RoleCredential:
    """Temporary credentials of a role, and the region it acts in; `session_token` is empty for a user's own."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    region: str


@frozen
class FunctionRole:
    """The vendor knows the function by its role: there is one credential, and no key to configure or to rotate.

    Attributes:
        allowed_by: The variable that is `on` where the role may call the vendor; empty where every role may.
    """

    allowed_by: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """All that hold it."""
        return ROLE_VARIABLES

    def credential(self, values: Mapping[str, Any]) -> str | None:
        """Returns the role in these environment variables as one string; None where there is none, or it may not."""
        found = [str(values.get(name) or "") for name in ROLE_VARIABLES]
        allowed = not self.allowed_by or values.get(self.allowed_by) == ON
        return json.dumps([*found, region_in(values)]) if all(found[:2]) and allowed else None

    def read(self, credential: str) -> RoleCredential:
        """Returns what `credential` wrote, for a signer."""
        return RoleCredential(*json.loads(credential))


Credentials = ApiKeys | FunctionRole
Signer = Callable[..., HttpRequest]


def region_in(values: Mapping[str, Any]) -> str:
    """Returns the region that these environment variables name; AWS's first where they name none."""
    return next((str(values[name]) for name in REGION_VARIABLES if values.get(name)), "us-east-1")


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


def aws_signature(service: str) -> Signer:
    """Returns a signer for one of AWS's own services (Signature Version 4), by the function's role.

    The region is the address's own where it names one, else the role's.
    """

    def sign(request: HttpRequest, credential: str, *, now: float) -> HttpRequest:
        # Imported here: few functions sign for AWS by themselves, and those have loaded it with their AWS clients.
        from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials as AwsCredentials  # noqa: PLC0415

        role = FunctionRole().read(credential)
        named = _REGION.search(urlsplit(request.url).hostname or "")
        keys = AwsCredentials(role.access_key_id, role.secret_access_key, role.session_token or None)
        signer = SigV4Auth(keys, service, named[1] if named else role.region)
        moment = (_EPOCH + timedelta(seconds=now)).strftime(SIGV4_TIMESTAMP)
        headers = {**request.headers, "x-amz-date": moment}
        headers |= {"content-type": "application/json"} if request.body else {}
        headers |= {"x-amz-security-token": role.session_token} if role.session_token else {}
        asked = AWSRequest(request.method, request.url, headers, request.body, dict(request.params))
        # `SigV4Auth.add_auth` step by step, because it takes the moment from the clock, and here that is an argument.
        asked.context["timestamp"] = moment
        signature = signer.signature(signer.string_to_sign(asked, signer.canonical_request(asked)), asked)
        names = signer.signed_headers(signer.headers_to_sign(asked))
        proof = f"Credential={signer.scope(asked)}, SignedHeaders={names}, Signature={signature}"
        return request.with_headers({**headers, "authorization": f"AWS4-HMAC-SHA256 {proof}"})

    return sign
