"""Settings of `run`: flags count before the environment, and that before defaults (spec/proxy.md 3.2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pykamal.proxy.arguments import Call
from pykamal.proxy.contract import RUN, Setting
from pykamal.proxy.durations import format_duration, parse_duration
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.go_values import parse_bool, parse_decimal
from pykamal.proxy.protection import canonical_network, require_networks

_READ_FROM_ENVIRONMENT: dict[str, Callable[[str], object]] = {
    "bool": parse_bool,
    "int": parse_decimal,
    "duration": parse_duration,
    "networks": lambda text: [item.strip() for item in text.split(",") if item.strip()],
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
    values = {setting.name: _value(call, setting) for setting in RUN}
    for setting in RUN:
        if setting.kind == "networks":
            require_networks(setting.flag, values[setting.name])
            values[setting.name] = tuple(canonical_network(text) for text in values[setting.name])
        elif setting.kind == "duration" and values[setting.name] < setting.least:
            raise ProxyError(f"{setting.flag} must be at least {format_duration(int(setting.least))}")
    return RunSettings(**values)


def _value(call: Call, setting: Setting) -> Any:
    value = call.values[setting.flag]
    if setting.flag in call.given or setting.name in _WITHOUT_VARIABLE:
        return value
    variable = setting.name.upper()
    for key in (variable, f"KAMAL_PROXY_{variable}"):
        try:
            value = _READ_FROM_ENVIRONMENT[setting.kind](os.environ[key])
        except (KeyError, ValueError):
            continue
    return value
