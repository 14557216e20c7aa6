"""What is fetched, or called, by an address that somebody else named lies on the public internet."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mediarelay.http.guarded_connections import ForbiddenAddress, public_address

INTERNAL = ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")
# How an IPv4 address is written within an IPv6 one; a network may lead any of them to it.
EMBEDDED = ("::", "::ffff:", "::ffff:0:", "64:ff9b::")


def leads_to(address: str, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a name with this address is connected to."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", (address, 443))])
    try:
        return public_address("named.example", 443) == address
    except ForbiddenAddress:
        return False


within = st.sampled_from(INTERNAL).flatmap(lambda network: st.ip_addresses(network=network))


@given(address=within, form=st.sampled_from(EMBEDDED))
def test_an_internal_address_is_refused_in_every_form(address: ipaddress.IPv4Address, form: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert not leads_to(str(address), patch)
        assert not leads_to(f"{form}{address}", patch)
        assert not leads_to(str(ipaddress.IPv6Address(int(address) << 80 | 0x2002 << 112)), patch)


@given(address=st.ip_addresses(v=6))
def test_of_ipv6_only_what_is_given_out_is_public(address: ipaddress.IPv6Address) -> None:
    given_out = address in ipaddress.ip_network("2000::/3")
    carries = address.ipv4_mapped is not None or address in ipaddress.ip_network("64:ff9b::/96")
    with pytest.MonkeyPatch.context() as patch:
        assert given_out or carries or not leads_to(str(address), patch)


@pytest.mark.parametrize(
    "address",
    [
        *("::1", "::", "0.0.0.1", "255.255.255.255", "fe80::1%eth0", "fec0::1", "fd00:ec2::254", "5f00::1", "ff0e::1"),
        *("192.0.0.8", "192.0.0.170", "192.88.99.1", "224.0.0.1", "198.18.0.1", "203.0.113.1", "240.0.0.1"),
        *("64:ff9b:1::a00:1", "2001:db8::1", "2001::1", "3fff::1", "100::1"),
    ],
)
def test_what_is_reserved_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not leads_to(address, monkeypatch)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"]
)
def test_what_is_public_is_connected_to(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert leads_to(address, monkeypatch)
