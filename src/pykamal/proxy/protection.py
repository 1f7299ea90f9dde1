"""What a service is protected with, a feature of this proxy alone: flags, state, and what nginx must know."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

from pykamal.proxy.errors import ProxyError
from pykamal.proxy.records import known_fields, section

STATE_KEY = "pykamal_protection"
"""In a service's record of the state file; the reference does not know it and leaves it out when it writes."""

_MAPPED_BITS = 96  # of ::ffff:0:0/96, in which IPv4 is written as IPv6
FRAMING_HEADERS = frozenset(
    {
        *("connection", "content-encoding", "content-length", "date", "keep-alive", "proxy-connection", "server"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that are not for a service to choose."""

_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\x21-\x7e][\x20-\x7e]*)")


@dataclass(frozen=True, slots=True)
class Protection:
    """Everything is off by default. Networks are addresses or CIDR; `rate_limit` in requests per second.

    A client is an IPv4 address or an IPv6 network of 64 bits.
    """

    trusted_proxies: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    rate_limit: float = 0.0
    rate_limit_burst: int | None = None
    connection_limit: int = 0
    body_limit: int = 0
    basic_auth_file: str = ""
    basic_auth_realm: str = "Restricted"
    basic_auth_except: tuple[str, ...] = ()
    security_headers: tuple[str, ...] = ()

    def for_nginx(self, users: Mapping[str, str]) -> dict[str, object] | bool:
        """What kamal/protection.lua enforces, False when there is nothing; `users` are names with hashes."""
        if self == Protection():
            return False
        burst = math.ceil(self.rate_limit) if self.rate_limit_burst is None else self.rate_limit_burst
        return {
            "trusted": [canonical_network(text) for text in self.trusted_proxies],
            "allow": [canonical_network(text) for text in self.allow],
            "deny": [canonical_network(text) for text in self.deny],
            "rate": {"interval_s": 1 / self.rate_limit, "burst": burst} if self.rate_limit else False,
            "connections": self.connection_limit,
            "body": self.body_limit,
            "auth": {"realm": self.basic_auth_realm, "except": self.basic_auth_except, "users": users}
            if self.basic_auth_file
            else False,
            "headers": [_header(text) for text in self.security_headers],
        }

    def for_state(self) -> dict[str, object]:
        """The part of the service's record, under STATE_KEY; nothing when there is no protection."""
        return {STATE_KEY: asdict(self)} if self != Protection() else {}


def protection_from_flags(values: Mapping[str, Any]) -> Protection:
    """Raises ProxyError for what cannot be meant."""
    protection = Protection(
        trusted_proxies=tuple(values["trusted-proxy"]),
        allow=tuple(values["allow"]),
        deny=tuple(values["deny"]),
        rate_limit=values["rate-limit"],
        rate_limit_burst=values["rate-limit-burst"] if values["rate-limit-burst"] >= 0 else None,
        connection_limit=values["connection-limit"],
        body_limit=values["body-limit"],
        basic_auth_file=values["basic-auth-file"],
        basic_auth_realm=values["basic-auth-realm"],
        basic_auth_except=tuple(values["basic-auth-except"]),
        security_headers=tuple(values["security-header"]),
    )
    _validate(protection)
    return protection


def protection_from_state(record: Mapping[str, Any]) -> Protection:
    """From a service's record. Raises ProxyError, TypeError or ValueError: no service starts without its protection."""
    protection = Protection(**known_fields(section(record, STATE_KEY), Protection))
    _validate(protection)
    return protection


def load_users(path: str) -> dict[str, str]:
    """User names with password hashes, from lines `name:hash`. Raises ProxyError when there are none."""
    if not path:
        return {}
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, ValueError) as problem:
        raise ProxyError("unable to load basic auth users") from problem
    pairs = (line.partition(":") for line in lines if line.strip() and not line.startswith("#"))
    users = {name: digest.strip() for name, _, digest in pairs}
    if not users or not all(name and digest.startswith("$") for name, digest in users.items()):
        raise ProxyError("unable to load basic auth users")
    return users


def canonical_network(text: str) -> str:
    """`ADDRESS/BITS` without bits beyond the network; IPv4 inside IPv6 is IPv4. Raises ValueError."""
    network = ip_network(text, strict=False)
    if isinstance(network, IPv4Network):
        return str(network)
    inner = network.network_address.ipv4_mapped
    if network.network_address.scope_id is not None:
        raise ValueError("a network has no zone")
    return (
        f"{inner}/{network.prefixlen - _MAPPED_BITS}" if inner and network.prefixlen >= _MAPPED_BITS else str(network)
    )


def require_networks(flag: str, networks: Iterable[str]) -> None:
    """Raises ProxyError for the first that is neither an address nor a network."""
    for network in networks:
        try:
            canonical_network(network)
        except ValueError:
            raise ProxyError(f'invalid network "{network}" for "--{flag}" flag') from None


def _validate(protection: Protection) -> None:
    require_networks("trusted-proxy", protection.trusted_proxies)
    require_networks("allow", protection.allow)
    require_networks("deny", protection.deny)
    if not 0 <= protection.rate_limit <= 1_000_000:
        raise ProxyError("service options invalid: rate-limit must be between 0 and 1000000 requests per second")
    if min(protection.connection_limit, protection.body_limit, protection.rate_limit_burst or 0) < 0:
        raise ProxyError("service options invalid: limits must not be negative")
    for text in protection.security_headers:
        _header(text)
    if not protection.basic_auth_realm.isascii() or not protection.basic_auth_realm.isprintable():
        raise ProxyError("service options invalid: basic-auth-realm must be printable ASCII")


def _header(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ProxyError(f"service options invalid: security-header must be like 'Name: value': {text!r}")
    if found[1].lower() in FRAMING_HEADERS:
        raise ProxyError(f"service options invalid: security-header must not be {found[1]}")
    return found[1], found[2].rstrip()
