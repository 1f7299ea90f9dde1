"""A service's options: from the command line, checked; to and from the state file (spec/proxy.md 3.3 and 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pykamal.proxy.contract import HEALTH_CHECK, LISTS, SERVICE_OPTIONS, TARGET_OPTIONS, Setting
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.records import known_fields, section

STAGING_DIRECTORY = "https://acme-staging-v02.api.letsencrypt.org/directory"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
_DEFAULTS = {setting.name: setting.default for setting in (*SERVICE_OPTIONS, *TARGET_OPTIONS)}
_CHECK_DEFAULTS = {setting.name: setting.default for setting in HEALTH_CHECK}


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """Hosts, paths and TLS of a service; durations in nanoseconds. `hosts == ("",)` means any host."""

    hosts: tuple[str, ...] = ("",)
    path_prefixes: tuple[str, ...] = ("/",)
    tls_enabled: bool = _DEFAULTS["tls_enabled"]
    tls_certificate_path: str = _DEFAULTS["tls_certificate_path"]
    tls_private_key_path: str = _DEFAULTS["tls_private_key_path"]
    tls_on_demand_url: str = _DEFAULTS["tls_on_demand_url"]
    tls_redirect: bool = _DEFAULTS["tls_redirect"]
    canonical_host: str = _DEFAULTS["canonical_host"]
    acme_directory: str = ""
    acme_cache_path: str = _DEFAULTS["acme_cache_path"]
    error_page_path: str = _DEFAULTS["error_page_path"]
    strip_prefix: bool = _DEFAULTS["strip_prefix"]
    writer_affinity_timeout: int = _DEFAULTS["writer_affinity_timeout"]
    read_targets_accept_websockets: bool = _DEFAULTS["read_targets_accept_websockets"]
    exclude_metrics_paths: tuple[str, ...] = _DEFAULTS["exclude_metrics_paths"]
    client_ip_header: str = _DEFAULTS["client_ip_header"]

    @property
    def is_root(self) -> bool:
        """True when the service is bound to `/`; only such a service has TLS settings of its own (7.2)."""
        return "/" in self.path_prefixes

    @property
    def has_certificate_files(self) -> bool:
        return bool(self.tls_certificate_path and self.tls_private_key_path)

    @property
    def is_automatic(self) -> bool:
        """True when certificates are obtained for it."""
        return self.tls_enabled and self.is_root and not self.has_certificate_files


@dataclass(frozen=True, slots=True)
class HealthCheckOptions:
    """Health check of one target; durations in nanoseconds, `port` 0 means the target's."""

    path: str = _CHECK_DEFAULTS["path"]
    port: int = _CHECK_DEFAULTS["port"]
    interval: int = _CHECK_DEFAULTS["interval"]
    timeout: int = _CHECK_DEFAULTS["timeout"]
    host: str = _CHECK_DEFAULTS["host"]


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Forwarding of requests to the targets; durations in nanoseconds, sizes in bytes."""

    health_check_config: HealthCheckOptions = HealthCheckOptions()
    response_timeout: int = _DEFAULTS["response_timeout"]
    buffer_requests: bool = _DEFAULTS["buffer_requests"]
    buffer_responses: bool = _DEFAULTS["buffer_responses"]
    max_memory_buffer_size: int = _DEFAULTS["max_memory_buffer_size"]
    max_request_body_size: int = _DEFAULTS["max_request_body_size"]
    max_response_body_size: int = _DEFAULTS["max_response_body_size"]
    log_request_headers: tuple[str, ...] = _DEFAULTS["log_request_headers"]
    log_response_headers: tuple[str, ...] = _DEFAULTS["log_response_headers"]
    forward_headers: bool = _DEFAULTS["forward_headers"]
    scope_cookie_paths: bool = _DEFAULTS["scope_cookie_paths"]


def options_from_flags(values: Mapping[str, Any], given: list[str]) -> tuple[ServiceOptions, TargetOptions]:
    """The options of a `deploy` call. Raises ProxyError for a combination that cannot work (3.3)."""
    if "max-request-body" in given and "buffer-requests" not in given:
        raise ProxyError("max-request-body can only be set when request buffering is enabled")
    if "max-response-body" in given and "buffer-responses" not in given:
        raise ProxyError("max-response-body can only be set when response buffering is enabled")
    service = replace(
        ServiceOptions(**_read(SERVICE_OPTIONS, values)),
        hosts=_normalise_hosts(values["host"]),
        path_prefixes=normalise_prefixes(values["path-prefix"]),
        canonical_host=_without_final_dot(values["canonical-host"]),
        acme_directory=STAGING_DIRECTORY if values["tls-staging"] else "",
    )
    target = replace(
        TargetOptions(**_read(TARGET_OPTIONS, values)),
        health_check_config=HealthCheckOptions(**_read(HEALTH_CHECK, values)),
        forward_headers=values["forward-headers"] if "forward-headers" in given else not values["tls"],
    )
    _validate(service, target)
    return service, target


def _read(settings: Iterable[Setting], values: Mapping[str, Any]) -> dict[str, Any]:
    """By their names, of values by flag."""
    return {each.name: tuple(values[each.flag]) if each.kind in LISTS else values[each.flag] for each in settings}


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
