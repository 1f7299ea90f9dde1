"""The `builder` section: how images are built (spec/config.md 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pykamal.config.models.plain_values import Scalar


@dataclass(frozen=True, slots=True)
class BuildCache:
    type: str
    options: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Buildpacks:
    builder: str
    buildpacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Builder:
    """`context_given` says that deploy.yml names a context, which turns the Git clone off (spec/config.md 7.4)."""

    arches: tuple[str, ...]
    driver: str = "docker-container"
    remote: str | None = None
    local: bool = True
    context: str = "."
    context_given: bool = False
    dockerfile: str = "Dockerfile"
    target: str | None = None
    args: Mapping[str, Scalar] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    ssh: str | None = None
    cache: BuildCache | None = None
    pack: Buildpacks | None = None
    provenance: str | bool | None = None
    sbom: bool | None = None

    @property
    def remote_host(self) -> str | None:
        """The machine of `remote` as a host string; None where it is not reached by SSH."""
        scheme, separator, rest = (self.remote or "").partition("://")
        return rest.partition("/")[0] or None if separator and scheme == "ssh" else None
