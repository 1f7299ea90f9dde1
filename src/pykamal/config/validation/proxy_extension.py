"""Rules for `x-pykamal/proxy` that its schema does not say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Final

from pykamal.config.document import ListNode, MapNode, Node, ScalarNode
from pykamal.config.models.proxy_extension import DEFAULT_SECURITY_HEADERS, ProxyEngine
from pykamal.config.reading import blank, boolean, child, entries, integer, text
from pykamal.config.validation.violation import KeyPath, Violation, described
from pykamal.core.catalogue.settings import INVALID_NAME, INVALID_VALUE, MISSING_KEY, NEEDS_PYKAMAL_PROXY
from pykamal.core.diagnostics import Rule
from pykamal.core.ruby import Symbol

_PATH: Final[KeyPath] = ("x-pykamal", "proxy")
_NETWORKS: Final = (("trusted_proxies",), ("allow",), ("deny",), ("run", "proxy_protocol_from"))
_LIMITS: Final[tuple[tuple[tuple[str, ...], int, int], ...]] = (
    (("connection_limit",), 1, 10**9),
    (("body_limit",), 1, 2**36),  # bytes; the proxy limits nothing beyond
    (("rate_limit", "burst"), 0, 10**9),
    (("run", "client_header_timeout"), 1, 10**9),
    (("run", "client_body_timeout"), 1, 10**9),
)
"""The least and the most that a number may be."""

FRAMING_HEADERS: Final = frozenset(
    {
        *("connection", "content-encoding", "content-length", "date", "keep-alive", "proxy-connection", "server"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Response headers that say where an answer ends, or who gave it: the proxy refuses to set them."""

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]*")


def proxy_extension_violations(root: MapNode) -> Iterator[Violation]:
    node = child(root, *map(str, _PATH))
    if not isinstance(node, MapNode):
        return
    yield from _engine(node)
    for lists in _NETWORKS:
        yield from _networks(lists, child(node, *lists))
    for keys, least, most in _LIMITS:
        number = integer(child(node, *keys))
        if number is not None and not least <= number <= most:
            message = f"should be {least} or more" if number < least else f"should be at most {most}"
            yield _violation(keys, message, child(node, *keys))
    yield from _rate_limit(child(node, "rate_limit"))
    yield from _basic_auth(child(node, "basic_auth"))
    yield from _security_headers(child(node, "security_headers"))


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


def _networks(keys: KeyPath, node: Node | None) -> Iterator[Violation]:
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


def _rate_limit(node: Node | None) -> Iterator[Violation]:
    if not isinstance(node, MapNode):
        return
    rate = node.get("requests_per_second")
    if rate is None:
        yield _violation(("rate_limit",), "requests_per_second is required", node, rule=MISSING_KEY)
    elif isinstance(rate, ScalarNode) and isinstance(rate.value, int | float) and not 0.001 <= rate.value <= 1_000_000:
        yield _violation(("rate_limit", "requests_per_second"), "should be from 0.001 to a million", rate)


def _basic_auth(node: Node | None) -> Iterator[Violation]:
    if not isinstance(node, MapNode):
        return
    users, realm, exceptions = node.get("users"), node.get("realm"), node.get("except")
    if blank(users):
        yield _violation(("basic_auth",), "users are required", node, rule=MISSING_KEY)
    for name, secret in entries(users):
        if not name or name.startswith("#") or ":" in name or not name.isprintable():
            yield _violation(("basic_auth", "users"), f"{name!r} cannot be a user name", secret, rule=INVALID_NAME)
        elif blank(secret):
            yield _violation(("basic_auth", "users", name), "should be the name of a secret", secret, rule=MISSING_KEY)
    if realm is not None and not _PRINTABLE.fullmatch(text(realm) or ""):
        yield _violation(("basic_auth", "realm"), "should be printable ASCII", realm)
    for index, item in enumerate(exceptions.items if isinstance(exceptions, ListNode) else ()):
        if not (text(item) or "").startswith("/"):
            yield _violation(("basic_auth", "except", index), "should be a path that starts with a slash", item)
        elif "?" in (text(item) or ""):
            yield _violation(("basic_auth", "except", index), "should be a path alone, without a query", item)


def _security_headers(node: Node | None) -> Iterator[Violation]:
    defaults = {name.lower() for name in DEFAULT_SECURITY_HEADERS}
    for name, value in entries(node):
        path: KeyPath = ("security_headers", name)
        if not _HEADER_NAME.fullmatch(name):
            yield _violation(path, "is no header name", value, rule=INVALID_NAME)
        elif name.lower() in FRAMING_HEADERS and boolean(value) is not False:
            yield _violation(path, "cannot be chosen: the proxy sets it by itself", value)
        elif boolean(value) and name.lower() not in defaults:
            yield _violation(path, "should be the header's value: there is no default for it", value)
        elif boolean(value) is None and not _PRINTABLE.fullmatch(text(value) or ""):
            yield _violation(path, "should be printable ASCII", value)
        elif boolean(value) is None and not (text(value) or "").strip():
            yield _violation(path, "should be the header's value, or false for no such header", value)
