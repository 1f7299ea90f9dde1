"""A supporting service with a life of its own: database, cache, mailer (spec/config.md 9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pykamal.config.models.env import Env
from pykamal.config.models.logging import Logging
from pykamal.config.models.plain_values import OptionValue, Scalar
from pykamal.config.models.proxy import Proxy
from pykamal.config.models.registry import Registry


@dataclass(frozen=True, slots=True)
class File:
    """A local file that is uploaded and mounted. `mode` is octal text as chmod takes it."""

    local: str
    remote: str
    mode: str | None = None
    owner: str | None = None
    options: str | None = None

    @property
    def template(self) -> bool:
        return self.local.endswith("erb")


@dataclass(frozen=True, slots=True)
class Directory:
    """A host directory that is made and mounted; absolute `local` is used as it is."""

    local: str
    remote: str
    mode: str | None = None
    owner: str | None = None
    options: str | None = None


@dataclass(frozen=True, slots=True)
class Accessory:
    """`service` names the container, its label and its folder on the host; `hosts` are unique and in order."""

    name: str
    service: str
    image_name: str
    hosts: tuple[str, ...]
    registry: Registry | None = None
    cmd: str | None = None
    port: str | None = None
    labels: Mapping[str, Scalar] = field(default_factory=dict)
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    restart: str = "unless-stopped"
    env: Env = field(default_factory=Env)
    files: tuple[File, ...] = ()
    directories: tuple[Directory, ...] = ()
    volumes: tuple[str, ...] = ()
    network: str = "kamal"
    logging: Logging = Logging()
    proxy: Proxy | None = None

    @property
    def image(self) -> str:
        """The image, with the accessory's own registry in front when it has one (never the root's)."""
        if self.registry is not None and self.registry.server:
            return f"{self.registry.server}/{self.image_name}"
        return self.image_name

    @property
    def running_proxy(self) -> bool:
        return self.proxy is not None

    @property
    def published(self) -> str | None:
        """The value of `--publish`: a lone port is published under its own number."""
        if self.port is None:
            return None
        return self.port if ":" in self.port else f"{self.port}:{self.port}"
