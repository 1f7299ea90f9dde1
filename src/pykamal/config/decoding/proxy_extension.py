"""The settings below `x-pykamal/proxy`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pykamal.config.document import Node, ScalarNode
from pykamal.config.models.proxy_extension import DEFAULT_SECURITY_HEADERS, ProxyEngine, ProxyExtension
from pykamal.config.node_reading import boolean, child, entries, integer, text, texts
from pykamal.proxy.contract import PROTECTIONS, PROXY_LIMITS


def proxy_extension(node: Node | None) -> ProxyExtension:
    found = {
        setting.name: _READING[setting.kind](child(node, *setting.key.split("/")))
        for setting in (*PROTECTIONS, *PROXY_LIMITS)
        if setting.kind in _READING
    }
    return ProxyExtension(
        engine=ProxyEngine(text(child(node, "engine")) or ProxyEngine.KAMAL_PROXY.value),
        settings={name: value for name, value in found.items() if value not in (None, "", ())},
        users={name: text(secret) or "" for name, secret in entries(child(node, "basic_auth", "users"))},
    )


def _number(node: Node | None) -> float | None:
    return float(node.value) if isinstance(node, ScalarNode) and isinstance(node.value, int | float) else None


def _headers(node: Node | None) -> tuple[str, ...]:
    """The defaults with the map's changes; names are compared without case."""
    if node is None or boolean(node) is False:
        return ()
    headers = {name.lower(): (name, value) for name, value in DEFAULT_SECURITY_HEADERS.items()}
    for name, value in entries(node):
        if boolean(value) is None:
            headers[name.lower()] = (name, text(value) or "")
        elif boolean(value) is False:
            headers.pop(name.lower(), None)
    return tuple(f"{name}: {value}" for name, value in headers.values())


_READING: Mapping[str, Callable[[Node | None], object]] = {
    "int": integer,
    "duration": integer,
    "number": _number,
    "printable": text,
    "networks": texts,
    "paths": texts,
    "headers": _headers,
}
"""By the kind of a setting. A path of a file, which is none of them, is for the command builders to choose."""
