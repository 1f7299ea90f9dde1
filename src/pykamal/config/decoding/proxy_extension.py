"""The settings below `x-pykamal/proxy`."""

from __future__ import annotations

from collections.abc import Mapping

from pykamal.config.document import Node, ScalarNode
from pykamal.config.models.proxy_extension import (
    DEFAULT_SECURITY_HEADERS,
    BasicAuth,
    Protection,
    ProxyEngine,
    ProxyExtension,
    ProxyLimits,
    RateLimit,
)
from pykamal.config.reading import boolean, child, entries, integer, text, texts


def proxy_extension(node: Node | None) -> ProxyExtension:
    run = child(node, "run")
    return ProxyExtension(
        engine=ProxyEngine(text(child(node, "engine")) or ProxyEngine.KAMAL_PROXY.value),
        limits=ProxyLimits(
            client_header_timeout=integer(child(run, "client_header_timeout")),
            client_body_timeout=integer(child(run, "client_body_timeout")),
            proxy_protocol_from=texts(child(run, "proxy_protocol_from")),
        ),
        protection=Protection(
            trusted_proxies=texts(child(node, "trusted_proxies")),
            allow=texts(child(node, "allow")),
            deny=texts(child(node, "deny")),
            rate_limit=_rate_limit(child(node, "rate_limit")),
            connection_limit=integer(child(node, "connection_limit")),
            body_limit=integer(child(node, "body_limit")),
            basic_auth=_basic_auth(child(node, "basic_auth")),
            security_headers=_security_headers(child(node, "security_headers")),
        ),
    )


def _rate_limit(node: Node | None) -> RateLimit | None:
    rate = child(node, "requests_per_second")
    if not isinstance(rate, ScalarNode) or not isinstance(rate.value, int | float):
        return None
    return RateLimit(float(rate.value), integer(child(node, "burst")))


def _basic_auth(node: Node | None) -> BasicAuth | None:
    if node is None:
        return None
    return BasicAuth(
        users={name: text(secret) or "" for name, secret in entries(child(node, "users"))},
        realm=text(child(node, "realm")) or "Restricted",
        exceptions=texts(child(node, "except")),
    )


def _security_headers(node: Node | None) -> Mapping[str, str]:
    """The defaults with the map's changes; names are compared without case."""
    if node is None or boolean(node) is False:
        return {}
    headers = {name.lower(): (name, value) for name, value in DEFAULT_SECURITY_HEADERS.items()}
    for name, value in entries(node):
        if boolean(value) is None:
            headers[name.lower()] = (name, text(value) or "")
        elif boolean(value) is False:
            headers.pop(name.lower(), None)
    return dict(headers.values())
