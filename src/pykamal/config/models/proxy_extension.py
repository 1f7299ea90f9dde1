"""Settings of pykamal's own proxy, below `x-pykamal/proxy`: protections, and limits for the whole proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

DEFAULT_SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


class ProxyEngine(Enum):
    """The proxy that the hosts run. Both read and write the same state."""

    KAMAL_PROXY = "kamal-proxy"
    """Ruby Kamal's own."""
    PYKAMAL = "pykamal"
    """The one of `pykamal.proxy`, which alone knows protections."""


@dataclass(frozen=True, slots=True)
class ProxyExtension:
    """`settings` are those given of PROTECTIONS and PROXY_LIMITS in `pykamal.proxy.contract`, by name.

    Durations are in seconds, security headers complete lines `Name: value`. `users` are the names for basic
    authentication with the names of secrets. None of it has an effect unless the engine is pykamal's; validation sees
    to that.
    """

    engine: ProxyEngine = ProxyEngine.KAMAL_PROXY
    settings: Mapping[str, Any] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)
