"""The machine that a configuration is loaded on, as a protocol: this package reads no file and starts no process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pykamal.erb.system import System as TemplateSystem


class System(TemplateSystem, Protocol):
    """Templates' files and shell lines, and the environment; implemented in `operations.local.local_system`."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The process environment. The loader copies it and never changes it."""

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        """Standard output of `/bin/sh -c LINE`; the exit status is ignored. Raises CommandRefused."""


def docker_architecture(system: System) -> str:
    """The local docker's architecture in buildx's words (spec/config.md 1.3). Raises CommandRefused."""
    reported = system.run_shell("docker info --format '{{.Architecture}}'", system.environment).strip()
    if "aarch64" in reported:
        return "arm64"
    return "amd64" if "x86_64" in reported else reported
