"""Protections of a service: from flags and state, checked, to the document for nginx. The reference has none."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

from pykamal.proxy.contract import FRAMING_HEADERS, HEADER_NAME, LISTS, PROTECTIONS, STATE_KEY, Setting
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.records import are_texts, is_number, is_text, is_whole, require, section

_MAPPED_BITS = 96  # of ::ffff:0:0/96, in which IPv4 is written as IPv6
_HEADER = re.compile(rf"({HEADER_NAME}):[ \t]*([\x21-\x7e][\x20-\x7e]*)")


Protection = Mapping[str, Any]
"""Values by the names of PROTECTIONS. What is not there has its default, which is off."""

_FITTING: Mapping[str, Callable[[object], bool]] = {
    **dict.fromkeys(LISTS, are_texts),
    **dict.fromkeys(("string", "printable"), is_text),
    "int": is_whole,
    "number": is_number,
}


def document_of(protection: Protection, users: Mapping[str, str]) -> dict[str, object] | bool:
    """Return the document for kamal/protection.lua, False without any. `users` are names with password hashes."""
    if not protection:
        return False
    values = {setting.name: _for_nginx(setting, protection) for setting in PROTECTIONS}
    return values | {"users": users}


def _for_nginx(setting: Setting, protection: Protection) -> object:
    value = protection.get(setting.name, setting.default)
    if setting.kind == "networks":
        return [canonical_network(text) for text in value]
    return [_header(text) for text in value] if setting.kind == "headers" else value


def state_of(protection: Protection) -> dict[str, object]:
    """The part of the service's record, under STATE_KEY; nothing when there is no protection."""
    return {STATE_KEY: dict(protection)} if protection else {}


def protection_from_flags(values: Mapping[str, Any]) -> Protection:
    """Raises ProxyError for what cannot be meant."""
    protection = {setting.name: values[setting.flag] for setting in PROTECTIONS}
    for setting in PROTECTIONS:
        if setting.kind in ("int", "number") and protection[setting.name] > setting.most:
            raise ProxyError(f"service options invalid: {setting.flag} must be at most {setting.most}")
    return _valid(protection)


def protection_from_state(record: Mapping[str, Any]) -> Protection:
    """Read a service's record. Raises ProxyError, TypeError or ValueError: no service starts without its protection.

    A value of null counts as missing; other builds may have written keys that are not known here.
    """
    written = section(record, STATE_KEY)
    found = {setting.name: written[setting.name] for setting in PROTECTIONS if written.get(setting.name) is not None}
    for setting in PROTECTIONS:
        if setting.name in found:
            require(_FITTING[setting.kind](found[setting.name]), setting.name, found[setting.name])
    return _valid(found)


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


def _valid(values: Mapping[str, Any]) -> Protection:
    """Without those that have their default. Raises ProxyError."""
    protection: dict[str, Any] = {}
    for setting in PROTECTIONS:
        value: Any = values.get(setting.name, setting.default)
        if setting.kind in LISTS:
            value = tuple(value)
        if setting.kind == "networks":
            require_networks(setting.flag, value)
        elif setting.kind == "headers":
            [_header(text) for text in value]
        elif setting.kind == "printable" and not (value.isascii() and value.isprintable()):
            raise ProxyError(f"service options invalid: {setting.flag} must be printable ASCII")
        elif setting.kind in ("int", "number") and not min(0, setting.default) <= value < math.inf:
            if setting.default >= 0:
                raise ProxyError("service options invalid: limits must not be negative")
            value = setting.default
        if value != setting.default:
            protection[setting.name] = value
    return protection


def _header(text: str) -> tuple[str, str]:
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ProxyError(f"service options invalid: security-header must be like 'Name: value': {text!r}")
    if found[1].lower() in FRAMING_HEADERS:
        raise ProxyError(f"service options invalid: security-header must not be {found[1]}")
    return found[1], found[2].rstrip()
