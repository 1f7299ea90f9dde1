"""Settings of a service behind kamal-proxy, and how the proxy itself is started (spec/config.md 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pykamal.config.models.plain_values import OptionValue
from pykamal.proxy.contract import LOGGED_REQUEST_HEADERS, REFERENCE_VERSION

MINIMUM_PROXY_VERSION = REFERENCE_VERSION
DEFAULT_PROXY_REPOSITORY = "basecamp/kamal-proxy"


@dataclass(frozen=True, slots=True)
class Ssl:
    """TLS is on. Both names of secrets are present for a custom certificate, none for an automatic one."""

    certificate_pem: str | None = None
    private_key_pem: str | None = None

    @property
    def custom(self) -> bool:
        return bool(self.certificate_pem and self.private_key_pem)


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """`interval` and `timeout` in seconds; None leaves the proxy's own default."""

    path: str | None = None
    interval: int | None = None
    timeout: int | None = None


@dataclass(frozen=True, slots=True)
class Buffering:
    """Sizes in bytes."""

    requests: bool = True
    responses: bool = True
    memory: int | None = None
    max_request_body: int | None = None
    max_response_body: int | None = None


@dataclass(frozen=True, slots=True)
class ProxyRun:
    """Settings of the proxy container. Present only where deploy.yml has a non-empty `run` map."""

    http_port: int = 80
    https_port: int = 443
    publish: bool = True
    bind_ips: tuple[str, ...] = ()
    metrics_port: int | None = None
    debug: bool = False
    log_max_size: str | None = "10m"
    registry: str | None = None
    repository: str = DEFAULT_PROXY_REPOSITORY
    version: str = MINIMUM_PROXY_VERSION
    options: Mapping[str, OptionValue] = field(default_factory=dict)

    @property
    def image(self) -> str:
        prefix = f"{self.registry}/" if self.registry else ""
        return f"{prefix}{self.repository}:{self.version}"


@dataclass(frozen=True, slots=True)
class Proxy:
    """Settings of one proxied role or accessory, already merged over the root's for roles."""

    hosts: tuple[str, ...] = ()
    app_port: int = 80
    ssl: Ssl | None = None
    ssl_redirect: bool | None = None
    forward_headers: bool | None = None
    response_timeout: int | None = None
    path_prefixes: tuple[str, ...] = ()
    strip_path_prefix: bool | None = None
    healthcheck: Healthcheck = Healthcheck()
    buffering: Buffering = Buffering()
    log_request_headers: tuple[str, ...] = LOGGED_REQUEST_HEADERS
    log_response_headers: tuple[str, ...] = ()
    run: ProxyRun | None = None
