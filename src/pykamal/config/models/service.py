"""The whole configuration of one service at one destination (spec/config.md 3 and 18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pykamal.config.document import MapNode
from pykamal.config.models.accessory import Accessory
from pykamal.config.models.boot import Boot, Sshkit
from pykamal.config.models.builder import Builder
from pykamal.config.models.extension import Extension
from pykamal.config.models.logging import Logging
from pykamal.config.models.plain_values import Scalar
from pykamal.config.models.proxy import ProxyRun
from pykamal.config.models.registry import Registry
from pykamal.config.models.role import Role
from pykamal.config.models.secrets_extension import SecretDelivery
from pykamal.config.models.ssh import Ssh
from pykamal.core.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Output:
    """`file_path` is a folder of log files, `otel_endpoint` the address of a collector without `/v1/logs`."""

    file_path: str | None = None
    otel_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of deploy.yml, with defaults filled in. Timeouts and delays are whole seconds.

    `roles` are sorted by name; `raw` is the merged document as plain data; `document` is the same with types and
    places, for `kamal config`; `lines` are the source lines by file name. `loaded_environment` holds the variables that
    the template loaded from dotenv files.
    """

    service: str
    image: str
    destination: str | None
    registry: Registry
    builder: Builder
    roles: tuple[Role, ...]
    primary_role_name: str = "web"
    accessories: tuple[Accessory, ...] = ()
    labels: Mapping[str, Scalar] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    logging: Logging = Logging()
    ssh: Ssh = Ssh()
    sshkit: Sshkit = Sshkit()
    boot: Boot = Boot()
    aliases: Mapping[str, str] = field(default_factory=dict)
    hooks_path: str = ".kamal/hooks"
    hooks_output: str | Mapping[str, str] | None = None
    secrets_path: str = ".kamal/secrets"
    error_pages_path: str | None = None
    output: Output = Output()
    retain_containers: int = 5
    readiness_delay: int = 7
    deploy_timeout: int = 30
    drain_timeout: int = 30
    extension: Extension = Extension()
    warnings: tuple[Diagnostic, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    document: MapNode | None = field(default=None, compare=False, repr=False)
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False, repr=False)
    loaded_environment: Mapping[str, str] = field(default_factory=dict)

    # -- names (spec/config.md 18.2, 18.3)

    @property
    def service_with_destination(self) -> str:
        """`SVC` or `SVC-DEST`; the part that separates destinations in paths on servers."""
        return f"{self.service}-{self.destination}" if self.destination else self.service

    @property
    def repository(self) -> str:
        return self.image if self.registry.server is None else f"{self.registry.server}/{self.image}"

    def absolute_image(self, version: str) -> str:
        return f"{self.repository}:{version}"

    @property
    def latest_tag(self) -> str:
        return f"latest-{self.destination}" if self.destination else "latest"

    @property
    def latest_image(self) -> str:
        return f"{self.repository}:{self.latest_tag}"

    # -- paths on servers, relative to the login directory (spec/cli.md 0.3)

    @property
    def app_directory(self) -> str:
        return f".kamal/apps/{self.service_with_destination}"

    @property
    def lock_directory(self) -> str:
        return f".kamal/lock-{self.service_with_destination}"

    @property
    def audit_log(self) -> str:
        return f".kamal/{self.service_with_destination}-audit.log"

    def role_env_file(self, role: Role) -> str:
        return f"{self.env_directory}/roles/{role.name}{self._env_suffix}"

    def accessory_env_file(self, accessory: Accessory) -> str:
        return f"{self.env_directory}/accessories/{accessory.name}{self._env_suffix}"

    @property
    def env_directory(self) -> str:
        return f"{self.app_directory}/env"

    @property
    def _env_suffix(self) -> str:
        return ".env.age" if self.extension.secrets.delivery is SecretDelivery.ENCRYPTED else ".env"

    # -- roles and hosts (spec/config.md 18.9)

    @property
    def primary_role(self) -> Role | None:
        return self.role(self.primary_role_name)

    @property
    def primary_host(self) -> str | None:
        role = self.primary_role
        return role.host_names[0] if role is not None and role.hosts else None

    def role(self, name: str) -> Role | None:
        return next((role for role in self.roles if role.name == name), None)

    def accessory(self, name: str) -> Accessory | None:
        return next((accessory for accessory in self.accessories if accessory.name == name), None)

    @property
    def app_hosts(self) -> tuple[str, ...]:
        return _unique(host for role in self.roles for host in role.host_names)

    @property
    def all_hosts(self) -> tuple[str, ...]:
        accessory_hosts = (host for accessory in self.accessories for host in accessory.hosts)
        return _unique([*self.app_hosts, *accessory_hosts])

    @property
    def proxy_hosts(self) -> tuple[str, ...]:
        role_hosts = [host for role in self.roles if role.running_proxy for host in role.host_names]
        accessory_hosts = [
            host for accessory in self.accessories if accessory.running_proxy for host in accessory.hosts
        ]
        return _unique([*role_hosts, *accessory_hosts])

    def proxy_run_on(self, host: str) -> ProxyRun | None:
        """The `proxy.run` settings that count on a host: its proxied roles in name order, then its accessories."""
        for role in self.roles:
            if role.proxy is not None and role.proxy.run is not None and host in role.host_names:
                return role.proxy.run
        for accessory in self.accessories:
            if accessory.proxy is not None and accessory.proxy.run is not None and host in accessory.hosts:
                return accessory.proxy.run
        return None


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
