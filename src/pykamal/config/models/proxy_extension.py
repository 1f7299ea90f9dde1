"""What only pykamal's own proxy can do, below `x-pykamal/proxy`: protections, and limits for the whole proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

DEFAULT_SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


class ProxyEngine(Enum):
    """Which proxy the hosts run. Both read and write the same state."""

    KAMAL_PROXY = "kamal-proxy"
    """Ruby Kamal's own."""
    PYKAMAL = "pykamal"
    """The one of `pykamal.proxy`, which alone knows protections."""


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """For the whole proxy, from its start: seconds, and the networks whose PROXY protocol header is believed.

    None leaves the proxy's own default.
    """

    client_header_timeout: int | None = None
    client_body_timeout: int | None = None
    proxy_protocol_from: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RateLimit:
    """For one client: requests per second in the long run, and how many may come at once beyond that.

    None is the proxy's own default, one second's worth.
    """

    requests_per_second: float
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """`users` are names with the names of secrets; `exceptions` are exact paths that need no password."""

    users: Mapping[str, str]
    realm: str = "Restricted"
    exceptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Protection:
    """What the roles behind the proxy are protected with; everything is off unless given.

    Networks are addresses or CIDR; sizes are bytes; `security_headers` are complete, defaults included.
    """

    trusted_proxies: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    rate_limit: RateLimit | None = None
    connection_limit: int | None = None
    body_limit: int | None = None
    basic_auth: BasicAuth | None = None
    security_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProxyExtension:
    """`limits` and `protection` have no effect unless the engine is pykamal's; validation sees to that."""

    engine: ProxyEngine = ProxyEngine.KAMAL_PROXY
    limits: ProxyLimits = ProxyLimits()
    protection: Protection = Protection()
