"""The architecture that the local Docker builds for."""

from __future__ import annotations

from pykamal.config.system import System


def docker_architecture(system: System) -> str:
    """The local docker's architecture in buildx's words (spec/config.md 1.3). Raises CommandRefused."""
    reported = system.run_shell("docker info --format '{{.Architecture}}'", system.environment).strip()
    if "aarch64" in reported:
        return "arm64"
    return "amd64" if "x86_64" in reported else reported
