"""What goes in and out of a vendor: calls, replies, operations, named errors."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from re import Pattern
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from urllib.parse import parse_qsl

from .state.accounts import Account, AccountBook, KeyHolder

if TYPE_CHECKING:
    from .state.world import World

JSON = "application/json"
Headers = Mapping[str, str]


@dataclass(frozen=True)
class Purchase:
    """Work the vendor bills for: what was asked, how much of it, and its price in the vendor's unit."""

    text: str
    units: float
    cost: float


@dataclass(frozen=True)
class Reply:
    """One HTTP answer.

    `outcome` names it in the statistics, `stream` replaces `body` for server-sent events, and `commit` is called once
    the purchase is booked, for work that must not begin unless it is paid for.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Headers = field(default_factory=dict)
    outcome: str = "ok"
    purchase: Purchase | None = None
    chunked: bool = False
    stream: Callable[[], AsyncIterator[bytes]] | None = None
    commit: Callable[[], None] | None = None


def json_reply(status: int, value: object, headers: Headers | None = None, outcome: str = "ok") -> Reply:
    return Reply(status, json.dumps(value, separators=(",", ":")).encode(), headers=headers or {}, outcome=outcome)


def failed(reply: Reply) -> bool:
    return reply.status >= HTTPStatus.BAD_REQUEST


@dataclass(frozen=True)
class Trouble:
    """The circumstances of a named error: what a vendor may want to tell about it."""

    account: Account | None = None
    wait: float = 1.0
    cost: float = 0.0
    origin: str = ""
    request_id: str = ""


class Refused(Exception):
    """A handler refuses the request with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.outcome)
        self.reply = reply


class BadBody(ValueError):
    """The body is not a JSON object."""


@dataclass(frozen=True)
class Call:
    """One request to an operation. `origin` is scheme, host and port as the client wrote them."""

    operation: "Operation"
    path: Mapping[str, str]
    query_string: str
    headers: Headers
    body: bytes
    holder: KeyHolder
    origin: str
    request_id: str
    world: "World"

    @cached_property
    def query(self) -> Mapping[str, str]:
        return dict(parse_qsl(self.query_string))

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as an object. Raises BadBody."""
        try:
            value = json.loads(self.body)
        except ValueError as error:
            raise BadBody(str(error)) from error
        if not isinstance(value, dict):
            raise BadBody("the body must be a JSON object")
        return value

    @property
    def account(self) -> Account:
        """The account that calls. Only for operations that require one."""
        if self.holder.account is None:
            raise RuntimeError("the operation is public: nobody is calling")
        return self.holder.account


# Raises Refused, or BadBody.
Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class Operation:
    """One route of a vendor.

    `mount` is the first path segment, `pattern` matches the rest. `limited` operations spend rate and a concurrency
    slot; `paid` ones are refused when the account is out of quota; `public` ones need no key.
    """

    name: str
    mount: str
    method: str
    pattern: Pattern[str]
    handler: Handler
    limited: bool = False
    paid: bool = False
    public: bool = False


NamedErrors = Mapping[str, Callable[[Trouble], Reply]]

# Every vendor has to know these names; it may know more.
COMMON_ERRORS = frozenset(
    {
        "bad_key",
        "permission_denied",
        "quota_exhausted",
        "rate_limited",
        "concurrency_limited",
        "content_rejected",
        "invalid_request",
        "not_found",
        "server_error",
        "overloaded",
        "timeout",
    }
)


class Vendor(Protocol):
    """One vendor; a new one is one file in `vendors/` and one line in its registry."""

    @property
    def name(self) -> str: ...

    @property
    def base_urls(self) -> Mapping[str, str]:
        """Environment variable to path prefix."""
        ...

    @property
    def operations(self) -> tuple[Operation, ...]: ...

    @property
    def errors(self) -> NamedErrors: ...

    def credential(self, headers: Headers) -> str | None:
        """The key a request carries."""
        ...

    def unknown_path(self, path: str) -> Reply: ...

    def headers(self, call: Call, now: float) -> dict[str, str]:
        """Headers on every answer to a caller, good or bad."""
        ...


@runtime_checkable
class SigningVendor(Vendor, Protocol):
    """A vendor whose requests may carry a token signed with the key instead of the key."""

    def signer(self, headers: Headers, accounts: AccountBook) -> KeyHolder | None:
        """Who signed; None when no token is there. Raises Refused for one that is not good."""
        ...
