"""The proxy section of a role (already merged over the root's) or an accessory."""

from __future__ import annotations

from pykamal.config.decoding.common_values import number, options
from pykamal.config.document import MapNode, Node
from pykamal.config.models.proxy import (
    DEFAULT_PROXY_REPOSITORY,
    MINIMUM_PROXY_VERSION,
    Buffering,
    Healthcheck,
    Proxy,
    ProxyRun,
    Ssl,
)
from pykamal.config.node_reading import blank, boolean, child, integer, text, texts, truthy
from pykamal.config.servers import proxy_host_names


def proxy(node: MapNode) -> Proxy:
    healthcheck, buffering, logged = node.get("healthcheck"), node.get("buffering"), node.get("logging")
    request_headers = child(logged, "request_headers")
    return Proxy(
        hosts=proxy_host_names(node),
        app_port=number(node.get("app_port"), 80),
        ssl=_ssl(node.get("ssl")),
        ssl_redirect=boolean(node.get("ssl_redirect")),
        forward_headers=boolean(node.get("forward_headers")),
        response_timeout=integer(node.get("response_timeout")),
        path_prefixes=_path_prefixes(node),
        strip_path_prefix=boolean(node.get("strip_path_prefix")),
        healthcheck=Healthcheck(
            path=text(child(healthcheck, "path")),
            interval=integer(child(healthcheck, "interval")),
            timeout=integer(child(healthcheck, "timeout")),
        ),
        buffering=_buffering(buffering),
        log_request_headers=Proxy().log_request_headers if request_headers is None else texts(request_headers),
        log_response_headers=texts(child(logged, "response_headers")),
        run=_run(node.get("run")),
    )


def _ssl(node: Node | None) -> Ssl | None:
    """An empty map turns TLS on as `true` does."""
    if not truthy(node):
        return None
    certificate, key = child(node, "certificate_pem"), child(node, "private_key_pem")
    return Ssl(None if blank(certificate) else text(certificate), None if blank(key) else text(key))


def _path_prefixes(node: MapNode) -> tuple[str, ...]:
    if (several := node.get("path_prefixes")) is not None:
        return texts(several)
    one = node.get("path_prefix")
    return () if blank(one) else tuple((text(one) or "").split(","))


def _buffering(node: Node | None) -> Buffering:
    requests, responses = boolean(child(node, "requests")), boolean(child(node, "responses"))
    return Buffering(
        requests=True if requests is None else requests,
        responses=True if responses is None else responses,
        memory=integer(child(node, "memory")),
        max_request_body=integer(child(node, "max_request_body")),
        max_response_body=integer(child(node, "max_response_body")),
    )


def _run(node: Node | None) -> ProxyRun | None:
    """None for an absent or empty map: the host's own boot files then count (spec/config.md 8.3)."""
    if not isinstance(node, MapNode) or not node.entries:
        return None
    publish = boolean(node.get("publish"))
    size = node.get("log_max_size")
    return ProxyRun(
        http_port=number(node.get("http_port"), 80),
        https_port=number(node.get("https_port"), 443),
        publish=True if publish is None else publish,
        bind_ips=texts(node.get("bind_ips")),
        metrics_port=integer(node.get("metrics_port")),
        debug=bool(boolean(node.get("debug"))),
        log_max_size="10m" if size is None else (None if blank(size) else text(size)),
        registry=text(node.get("registry")),
        repository=text(node.get("repository")) or DEFAULT_PROXY_REPOSITORY,
        version=text(node.get("version")) or MINIMUM_PROXY_VERSION,
        options=options(node.get("options")),
    )
