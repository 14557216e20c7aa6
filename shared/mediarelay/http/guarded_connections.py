"""Connections that are made to public addresses only.

The check is on the very address that is then connected to: a name that resolves to one address when it is checked and
to another when it is used (DNS rebinding) gains nothing. A host with any address that is not public is refused.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

import requests
import urllib3

from mediarelay.http.connections import StrictHttpsConnection, StrictHttpsPool, strict_session


class ForbiddenAddress(OSError):
    """The host has an address that is private, loopback, link-local or otherwise not public."""


class ForbiddenConnection(urllib3.exceptions.NewConnectionError):
    """A connection that was not made because of where it would have led."""


def forbidden(error: requests.RequestException) -> bool:
    """Tell whether a request failed because its host has an address that is not public."""
    cause = error.args[0] if error.args else None
    return isinstance(getattr(cause, "reason", cause), ForbiddenConnection)


def public_address(host: str, port: int) -> str:
    """Resolve the address to connect to. Raises `ForbiddenAddress`, or `OSError` for an unknown host."""
    found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for address in found:
        if not _public(address):
            raise ForbiddenAddress(f"{host} has an address that is not public")
    return found[0]


# RFC 6052: a translator makes an IPv4 address of the last 32 bits.
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
# All that IANA gives out for use across the internet (IPv6 Global Unicast Address Assignments, 2026-11-28). Beyond it
# are forms that `ipaddress` takes for global: ::127.0.0.1 (RFC 4291), ::ffff:0:127.0.0.1 (RFC 2765), fec0:: (RFC 3879).
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
# What Python learned, or not, with one of its versions: RFC 6890 and 7526; of IPv6 RFC 9637, documentation.
_NOT_PUBLIC: Final = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))


def _public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed in _TRANSLATED:
            return _public(str(ipaddress.IPv4Address(parsed.packed[-4:])))
        if (mapped := parsed.ipv4_mapped) is not None:
            return _public(str(mapped))
        if parsed not in _UNICAST or (parsed.sixtofour is not None and not _public(str(parsed.sixtofour))):
            return False
    within = any(parsed in network for network in _NOT_PUBLIC) or parsed.is_multicast
    return parsed.is_global and not within


class _GuardedConnection(StrictHttpsConnection):
    def addresses(self) -> list[str]:
        try:
            return [public_address(self._dns_host, self.port)]
        except ForbiddenAddress as error:
            raise ForbiddenConnection(self, str(error)) from error


class _GuardedPool(StrictHttpsPool):
    ConnectionCls = _GuardedConnection


def guarded_session() -> requests.Session:
    """Make a session that speaks https to public addresses and nothing else."""
    return strict_session({"https": _GuardedPool})
