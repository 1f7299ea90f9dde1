"""Rules for `x-pykamal/proxy` that its schema does not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network
from typing import Final

from pykamal.config.document import ListNode, MapNode, Node, ScalarNode
from pykamal.config.models.proxy_extension import DEFAULT_SECURITY_HEADERS, ProxyEngine
from pykamal.config.node_reading import blank, boolean, child, entries, text
from pykamal.config.validation.violation import KeyPath, Violation, described
from pykamal.core.catalogue.settings import INVALID_NAME, INVALID_VALUE, MISSING_KEY, NEEDS_PYKAMAL_PROXY
from pykamal.core.diagnostics import Rule
from pykamal.core.ruby import Symbol
from pykamal.proxy.contract import FRAMING_HEADERS, HEADER_NAME, PROTECTIONS, PROXY_LIMITS, SECOND, Setting

_PATH: Final[KeyPath] = ("x-pykamal", "proxy")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*")


def proxy_extension_violations(root: MapNode) -> Iterator[Violation]:
    node = child(root, *map(str, _PATH))
    if not isinstance(node, MapNode):
        return
    yield from _engine(node)
    for setting in (*PROTECTIONS, *PROXY_LIMITS):
        keys = tuple(setting.key.split("/"))
        written = child(node, *keys)
        if written is not None and setting.kind in _RULES:
            yield from _RULES[setting.kind](keys, written, setting)
    yield from _rate_limit(child(node, "rate_limit"))
    yield from _users(child(node, "basic_auth"))


def _violation(
    keys: KeyPath, message: str, node: Node | None, expected: str | None = None, rule: Rule = INVALID_VALUE
) -> Violation:
    assert node is not None, "a violation is about something that is there"
    found = described(node) if isinstance(node, ScalarNode) else None
    return Violation(rule, (*_PATH, *keys), message, node.position, expected=expected, found=found)


def _engine(node: MapNode) -> Iterator[Violation]:
    if text(node.get("engine")) == ProxyEngine.PYKAMAL.value:
        return
    for key, setting in node.items():
        if key != "engine" and not blank(setting):
            message = "needs `engine: pykamal`; Ruby Kamal's proxy does not know it"
            yield Violation(NEEDS_PYKAMAL_PROXY, (*_PATH, key), message, setting.position)


def _number(keys: KeyPath, node: Node, setting: Setting) -> Iterator[Violation]:
    value = node.value if isinstance(node, ScalarNode) else None
    types = (int, float) if setting.kind == "number" else (int,)
    if not isinstance(value, types) or isinstance(value, bool):
        return  # the schema says so
    least, most = setting.least, setting.most
    if setting.kind == "duration":  # in whole seconds here
        least, most = max(1, least // SECOND), most // SECOND
    if not least <= value <= most:
        yield _violation(keys, f"should be {least} or more" if value < least else f"should be at most {most}", node)


def _networks(keys: KeyPath, node: Node, _: Setting) -> Iterator[Violation]:
    for index, item in enumerate(node.items if isinstance(node, ListNode) else ()):
        if isinstance(item, ScalarNode) and isinstance(item.value, Symbol):
            yield _violation(
                (*keys, index), "should be in quotes: a colon at the beginning is read as something else", item
            )
        elif not _is_network(text(item) or ""):
            expected = "an address or a network such as 10.0.0.0/8"
            yield _violation((*keys, index), f"should be {expected}", item, expected)


def _is_network(written: str) -> bool:
    try:
        ip_network(written, strict=False)
    except ValueError:
        return False
    return "%" not in written  # a zone, which belongs to one machine


def _paths(keys: KeyPath, node: Node, _: Setting) -> Iterator[Violation]:
    for index, item in enumerate(node.items if isinstance(node, ListNode) else ()):
        if not (text(item) or "").startswith("/"):
            yield _violation((*keys, index), "should be a path that starts with a slash", item)
        elif "?" in (text(item) or ""):
            yield _violation((*keys, index), "should be a path alone, without a query", item)


def _printable(keys: KeyPath, node: Node, _: Setting) -> Iterator[Violation]:
    if not _PRINTABLE.fullmatch(text(node) or ""):
        yield _violation(keys, "should be printable ASCII", node)


def _rate_limit(node: Node | None) -> Iterator[Violation]:
    if isinstance(node, MapNode) and node.get("requests_per_second") is None:
        yield _violation(("rate_limit",), "requests_per_second is required", node, rule=MISSING_KEY)


def _users(node: Node | None) -> Iterator[Violation]:
    if not isinstance(node, MapNode):
        return
    users = node.get("users")
    if blank(users):
        yield _violation(("basic_auth",), "users are required", node, rule=MISSING_KEY)
    for name, secret in entries(users):
        if not name or name.startswith("#") or ":" in name or not name.isprintable():
            yield _violation(("basic_auth", "users"), f"{name!r} cannot be a user name", secret, rule=INVALID_NAME)
        elif blank(secret):
            yield _violation(("basic_auth", "users", name), "should be the name of a secret", secret, rule=MISSING_KEY)


def _headers(keys: KeyPath, node: Node, _: Setting) -> Iterator[Violation]:
    defaults = {name.lower() for name in DEFAULT_SECURITY_HEADERS}
    for name, value in entries(node):
        path: KeyPath = (*keys, name)
        if not re.fullmatch(HEADER_NAME, name):
            yield _violation(path, "is no header name", value, rule=INVALID_NAME)
        elif name.lower() in FRAMING_HEADERS and boolean(value) is not False:
            yield _violation(path, "cannot be chosen: the proxy sets it by itself", value)
        elif boolean(value) and name.lower() not in defaults:
            yield _violation(path, "should be the header's value: there is no default for it", value)
        elif boolean(value) is None and not _PRINTABLE.fullmatch(text(value) or ""):
            yield _violation(path, "should be printable ASCII", value)
        elif boolean(value) is None and not (text(value) or "").strip():
            yield _violation(path, "should be the header's value, or false for no such header", value)


_RULES: Final[Mapping[str, Callable[[KeyPath, Node, Setting], Iterator[Violation]]]] = {
    **dict.fromkeys(("int", "number", "duration"), _number),
    "networks": _networks,
    "paths": _paths,
    "printable": _printable,
    "headers": _headers,
}
"""By the kind of a setting."""
