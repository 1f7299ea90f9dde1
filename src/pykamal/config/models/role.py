"""A group of hosts that run the same container (spec/config.md 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pykamal.config.models.env import Env
from pykamal.config.models.logging import Logging
from pykamal.config.models.plain_values import OptionValue, Scalar
from pykamal.config.models.proxy import Proxy


@dataclass(frozen=True, slots=True)
class RoleHost:
    name: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssetPath:
    """`path` inside the container; `options` are mount options after the first colon."""

    path: str
    options: str | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """One role with everything of the root already merged in.

    `labels` are the custom ones (root, then role); `env` is root then role, without tags; `proxy` is None when the role
    does not run behind the proxy; `stop_timeout` in seconds is the effective `docker stop -t`, None for Docker's own.
    """

    name: str
    service: str
    destination: str | None
    hosts: tuple[RoleHost, ...]
    primary: bool
    cmd: str | None = None
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    restart: str = "unless-stopped"
    logging: Logging = Logging()
    labels: Mapping[str, Scalar] = field(default_factory=dict)
    env: Env = field(default_factory=Env)
    tag_envs: Mapping[str, Env] = field(default_factory=dict)
    proxy: Proxy | None = None
    asset_path: AssetPath | None = None
    stop_timeout: int | None = None

    @property
    def host_names(self) -> tuple[str, ...]:
        return tuple(host.name for host in self.hosts)

    @property
    def running_proxy(self) -> bool:
        return self.proxy is not None

    @property
    def container_prefix(self) -> str:
        """`SVC-ROLE[-DEST]`, which is also the proxy's name for the service (spec/config.md 18.2)."""
        return "-".join(filter(None, (self.service, self.name, self.destination)))

    def container_name(self, version: str) -> str:
        return f"{self.container_prefix}-{version}"

    def env_on(self, host_name: str) -> Env:
        """Environment on one host: root, role, then the host's tags in the order listed; unknown tags are ignored."""
        tags = next((host.tags for host in self.hosts if host.name == host_name), ())
        return self.env.merged(self.tag_envs[tag] for tag in tags if tag in self.tag_envs)
