"""What `run` was told: flags over the environment over defaults (spec/proxy.md 3.2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pykamal.proxy.arguments import Call
from pykamal.proxy.durations import MILLISECOND, parse_duration
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.protection import canonical_network, require_networks
from pykamal.proxy.values import parse_bool, parse_decimal

_READ_FROM_ENVIRONMENT: dict[str, Callable[[str], object]] = {
    "bool": parse_bool,
    "int": parse_decimal,
    "duration": parse_duration,
    "list": lambda text: [item.strip() for item in text.split(",") if item.strip()],
}
_WITHOUT_VARIABLE = ("http3",)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """`metrics_port` 0 is off; timeouts in nanoseconds; without `proxy_protocol_from` nobody speaks that protocol."""

    debug: bool
    http_port: int
    https_port: int
    metrics_port: int
    http3: bool
    client_header_timeout: int
    client_body_timeout: int
    proxy_protocol_from: tuple[str, ...]


def settings_of(call: Call) -> RunSettings:
    """Raises ProxyError for a value with which the server could not start."""
    values = {name: _value(call, name, kind) for name, kind, _, _ in call.command.flags}
    require_networks("proxy-protocol-from", values["proxy-protocol-from"])
    for name in ("client-header-timeout", "client-body-timeout"):
        if values[name] < MILLISECOND:
            raise ProxyError(f"{name} must be at least 1ms")
    fields = {name.replace("-", "_"): value for name, value in values.items()}
    networks = tuple(canonical_network(text) for text in values["proxy-protocol-from"])
    return RunSettings(**fields | {"proxy_protocol_from": networks})


def _value(call: Call, name: str, kind: str) -> Any:
    value = call.values[name]
    if name in call.given or name in _WITHOUT_VARIABLE:
        return value
    variable = name.upper().replace("-", "_")
    for key in (variable, f"KAMAL_PROXY_{variable}"):
        try:
            value = _READ_FROM_ENVIRONMENT[kind](os.environ[key])
        except (KeyError, ValueError):
            continue
    return value
