"""A service's options: from the command line, checked; to and from the state file (spec/proxy.md 3.3 and 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pykamal.proxy.durations import SECOND
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.records import known_fields, section

STAGING_DIRECTORY = "https://acme-staging-v02.api.letsencrypt.org/directory"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """What a service answers for and how; durations in nanoseconds. `hosts == ("",)` means any host."""

    hosts: tuple[str, ...] = ("",)
    path_prefixes: tuple[str, ...] = ("/",)
    tls_enabled: bool = False
    tls_certificate_path: str = ""
    tls_private_key_path: str = ""
    tls_on_demand_url: str = ""
    tls_redirect: bool = True
    canonical_host: str = ""
    acme_directory: str = ""
    acme_cache_path: str = ""
    error_page_path: str = ""
    strip_prefix: bool = True
    writer_affinity_timeout: int = SECOND
    read_targets_accept_websockets: bool = False
    exclude_metrics_paths: tuple[str, ...] = ()
    client_ip_header: str = ""

    @property
    def is_root(self) -> bool:
        """Whether the service is bound to `/`; only such a service has TLS settings of its own (7.2)."""
        return "/" in self.path_prefixes

    @property
    def has_certificate_files(self) -> bool:
        return bool(self.tls_certificate_path and self.tls_private_key_path)

    @property
    def is_automatic(self) -> bool:
        """Whether certificates are obtained for it."""
        return self.tls_enabled and self.is_root and not self.has_certificate_files


@dataclass(frozen=True, slots=True)
class HealthCheckOptions:
    """How one target is checked; durations in nanoseconds, `port` 0 means the target's."""

    path: str = "/up"
    port: int = 0
    interval: int = SECOND
    timeout: int = 5 * SECOND
    host: str = ""


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """How requests travel to the targets; durations in nanoseconds, sizes in bytes."""

    health_check_config: HealthCheckOptions = HealthCheckOptions()
    response_timeout: int = 30 * SECOND
    buffer_requests: bool = False
    buffer_responses: bool = False
    max_memory_buffer_size: int = 1024 * 1024
    max_request_body_size: int = 0
    max_response_body_size: int = 0
    log_request_headers: tuple[str, ...] = ()
    log_response_headers: tuple[str, ...] = ()
    forward_headers: bool = True
    scope_cookie_paths: bool = False


def options_from_flags(values: Mapping[str, Any], given: list[str]) -> tuple[ServiceOptions, TargetOptions]:
    """The options of a `deploy` call. Raises ProxyError for a combination that cannot work (3.3)."""
    if "max-request-body" in given and "buffer-requests" not in given:
        raise ProxyError("max-request-body can only be set when request buffering is enabled")
    if "max-response-body" in given and "buffer-responses" not in given:
        raise ProxyError("max-response-body can only be set when response buffering is enabled")
    service = ServiceOptions(
        hosts=_normalise_hosts(values["host"]),
        path_prefixes=normalise_prefixes(values["path-prefix"]),
        tls_enabled=values["tls"],
        tls_certificate_path=values["tls-certificate-path"],
        tls_private_key_path=values["tls-private-key-path"],
        tls_on_demand_url=values["tls-on-demand-url"],
        tls_redirect=values["tls-redirect"],
        canonical_host=_without_final_dot(values["canonical-host"]),
        acme_directory=STAGING_DIRECTORY if values["tls-staging"] else "",
        acme_cache_path=values["tls-acme-cache-path"],
        error_page_path=values["error-pages"],
        strip_prefix=values["strip-path-prefix"],
        writer_affinity_timeout=values["writer-affinity-timeout"],
        read_targets_accept_websockets=values["read-target-websockets"],
        exclude_metrics_paths=tuple(values["exclude-metrics-path"]),
        client_ip_header=values["client-ip-header"],
    )
    check = HealthCheckOptions(
        path=values["health-check-path"],
        port=values["health-check-port"],
        interval=values["health-check-interval"],
        timeout=values["health-check-timeout"],
        host=values["health-check-host"],
    )
    target = TargetOptions(
        health_check_config=check,
        response_timeout=values["target-timeout"],
        buffer_requests=values["buffer-requests"],
        buffer_responses=values["buffer-responses"],
        max_memory_buffer_size=values["buffer-memory"],
        max_request_body_size=values["max-request-body"],
        max_response_body_size=values["max-response-body"],
        log_request_headers=tuple(values["log-request-header"]),
        log_response_headers=tuple(values["log-response-header"]),
        forward_headers=values["forward-headers"] if "forward-headers" in given else not values["tls"],
        scope_cookie_paths=values["scope-cookie-paths"],
    )
    _validate(service, target)
    return service, target


def normalise_prefixes(prefixes: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """One leading slash, none at the end; `/` when there is none (spec/proxy.md 5)."""
    return tuple("/" + prefix.strip("/") for prefix in prefixes) or ("/",)


def _normalise_hosts(hosts: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Lower case, no final dot; any host when there is none (spec/proxy.md 5 and deviation D6)."""
    return tuple(_without_final_dot(host.lower()) for host in hosts) or ("",)


def _without_final_dot(host: str) -> str:
    return host[:-1] if len(host) > 1 and host.endswith(".") else host


def _validate(service: ServiceOptions, target: TargetOptions) -> None:
    problem = _tls_problem(service) or _on_demand_problem(service)
    if problem:
        raise ProxyError(f"service options invalid: {problem}")
    _require_times(target)


def _require_times(target: TargetOptions) -> None:
    if target.health_check_config.interval <= 0:
        raise ProxyError("service options invalid: health-check-interval must be greater than zero")
    if target.health_check_config.timeout <= 0:
        raise ProxyError("service options invalid: health-check-timeout must be greater than zero")
    if target.response_timeout < 0:
        raise ProxyError("service options invalid: target-timeout must not be negative")


def _tls_problem(service: ServiceOptions) -> str:
    if service.tls_enabled and not service.tls_on_demand_url and "" in service.hosts:
        return "host must be set when using TLS"
    if service.tls_enabled and not service.is_root:
        return "TLS settings must be specified on the root path service"
    named = service.hosts != ("",)
    if service.canonical_host and named and service.canonical_host.lower() not in service.hosts:
        hosts = " ".join(service.hosts)
        return f"canonical-host '{service.canonical_host}' must be present in the hosts list: [{hosts}]"
    return ""


def _on_demand_problem(service: ServiceOptions) -> str:
    if not service.tls_on_demand_url:
        return ""
    if not service.tls_enabled:
        return "TLS must be enabled to use a TLS on-demand URL"
    if service.hosts != ("",):
        return "cannot set hosts when using a TLS on-demand URL"
    if service.has_certificate_files:
        return "cannot use a custom TLS certificate with a TLS on-demand URL"
    if service.canonical_host:
        return "cannot set a canonical host when using a TLS on-demand URL"
    return _url_problem(service.tls_on_demand_url)


def _url_problem(url: str) -> str:
    try:
        parts = _parsed(url)
    except ValueError as problem:
        return f"unable to parse tls-on-demand-url: {problem}"
    if parts.scheme:
        if parts.scheme not in ("http", "https"):
            return f'unsupported scheme "{parts.scheme}" in tls-on-demand-url'
        return "" if parts.hostname else "missing host in tls-on-demand-url"
    if not url.startswith("/") or url.startswith("//"):
        return "tls-on-demand-url must be a path or an absolute http(s) URL"
    return ""


def _parsed(url: str) -> SplitResult:
    """Raises ValueError, also for what `urlsplit` takes as it is."""
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("invalid character in URL")
    if _BROKEN_ESCAPE.search(url.partition("?")[0]):
        raise ValueError("invalid URL escape")
    parts = urlsplit(url)
    if not parts.scheme and ":" in re.split("[/?#]", url)[0]:
        raise ValueError("missing protocol scheme")
    _ = parts.port  # raises for one that is no number
    return parts


def options_from_state(
    options: Mapping[str, Any], target_options: Mapping[str, Any]
) -> tuple[ServiceOptions, TargetOptions]:
    """The options of one record of the state file; unknown keys are ignored, missing ones keep their default.

    Raises TypeError, ValueError and ProxyError for values with which no service could run.
    """
    service = replace(ServiceOptions(), **known_fields(options, ServiceOptions))
    service = replace(
        service,
        hosts=_normalise_hosts(service.hosts),
        canonical_host=_without_final_dot(service.canonical_host),
        path_prefixes=normalise_prefixes(service.path_prefixes),
    )
    check = known_fields(section(target_options, "health_check_config"), HealthCheckOptions)
    fields = known_fields(target_options, TargetOptions)
    target = TargetOptions(**fields, health_check_config=HealthCheckOptions(**check))
    _require_times(target)
    return service, target
