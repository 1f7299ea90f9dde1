"""Services as the control plane holds them, and the documents that nginx works from (kamal/services.lua)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pykamal.proxy.certificates import Certificate, origin
from pykamal.proxy.contract import MILLISECOND
from pykamal.proxy.health_checks import check_path
from pykamal.proxy.pages import Page, built_in
from pykamal.proxy.protection import Protection, document_of
from pykamal.proxy.service_options import ServiceOptions, TargetOptions
from pykamal.proxy.targets import TargetSet

STATES = ("running", "paused", "stopped")
"""By the numbers of the state file."""


@dataclass(slots=True)
class Pause:
    """`state` is one of STATES; `fail_after` is the longest hold in nanoseconds."""

    state: str = "running"
    stop_message: str = ""
    fail_after: int = 0


@dataclass(frozen=True, slots=True)
class Split:
    """The part of the requests that use the rollout set (spec/proxy.md 12)."""

    percentage: int
    allowlist: tuple[str, ...]

    @property
    def point(self) -> float:
        """Hashes up to this one are in."""
        return 4294967295 * self.percentage / 100


@dataclass(slots=True)
class Service:
    """One routed service. Mutable: a redeploy replaces options and active set together."""

    name: str
    options: ServiceOptions
    target_options: TargetOptions
    active: TargetSet
    rollout: TargetSet | None = None
    pause: Pause = field(default_factory=Pause)
    split: Split | None = None
    certificate: Certificate | None = None
    pages: Mapping[int, Page] = field(default_factory=dict)
    protection: Protection = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict)

    @property
    def sets(self) -> list[TargetSet]:
        return [self.active, self.rollout] if self.rollout else [self.active]


def conflicting(service_name: str, options: ServiceOptions, others: Iterable[Service]) -> Service | None:
    """The service of another name that owns one of these pairs of host and prefix."""
    hosts, prefixes = set(options.hosts), set(options.path_prefixes)
    for other in others:
        shares_host = not hosts.isdisjoint(other.options.hosts)
        if shares_host and not prefixes.isdisjoint(other.options.path_prefixes) and other.name != service_name:
            return other
    return None


def document(service: Service, root: Service | None) -> str:
    """The JSON text that a worker decodes.

    `root` is the service at `/` of its first host, itself if it is bound there: a path service takes its TLS settings
    from it (spec/proxy.md 7.2).
    """
    options, targets, split = service.options, service.target_options, service.split
    tls = root is not None and root.options.tls_enabled
    certificate = service.certificate if options.is_root else None
    fields = {
        "name": service.name,
        "hosts": options.hosts,
        "path_prefixes": options.path_prefixes,
        "strip_prefix": options.strip_prefix and options.path_prefixes != ("/",),
        "tls_enabled": tls,
        "tls_redirect": root.options.tls_redirect if root else True,
        "is_root": options.is_root,
        "certificate": {"chain": certificate.chain, "key": certificate.key} if certificate else False,
        "automatic": _automatic(root.options) if root else False,
        "canonical_host": options.canonical_host,
        "state": service.pause.state,
        "fail_after_ms": service.pause.fail_after / MILLISECOND,
        "health_check_path": check_path(targets.health_check_config.path),
        "pages": _pages(service),
        "active": service.active.for_nginx(),
        "rollout": service.rollout.for_nginx() if service.rollout else False,
        "split": {"percentage_split_point": split.point, "allowlist": split.allowlist} if split else False,
        "writer_affinity_timeout_ms": options.writer_affinity_timeout // MILLISECOND,
        "read_targets_accept_websockets": options.read_targets_accept_websockets,
        "response_timeout_ms": -(-targets.response_timeout // MILLISECOND),  # rounded up: 0 is forever
        "buffer_requests": targets.buffer_requests,
        "buffer_responses": targets.buffer_responses,
        "max_request_body_size": targets.max_request_body_size,
        "max_response_body_size": targets.max_response_body_size,
        "forward_headers": targets.forward_headers,
        "client_ip_header": options.client_ip_header.lower(),
        "scope_cookie_paths": targets.scope_cookie_paths,
        "log_request_headers": targets.log_request_headers,
        "log_response_headers": targets.log_response_headers,
        "exclude_metrics_paths": options.exclude_metrics_paths,
        "protection": document_of(service.protection, service.users),
        "target_ids": [chosen.ids for chosen in service.sets],
    }
    return json.dumps(fields)


def _pages(service: Service) -> dict[str, str]:
    """The error pages by status; a stopped service always has one for 503, with its message."""
    is_stopped = service.pause.state == "stopped"
    message = service.pause.stop_message if is_stopped else ""
    pages = {str(status): page(message) for status, page in service.pages.items()}
    if is_stopped and "503" not in pages:
        pages["503"] = built_in(503, message)
    return pages


def _automatic(options: ServiceOptions) -> object:
    if not options.is_automatic:
        return False
    return {"origin": origin(options), "on_demand": bool(options.tls_on_demand_url)}
