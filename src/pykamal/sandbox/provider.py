"""The interface of a provider, which makes the sandbox's servers of namespaces or containers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pykamal.core.errors import SandboxError
from pykamal.sandbox import machine_init
from pykamal.sandbox.engine import Engine
from pykamal.sandbox.manifest import Journal, Machine, Manifest
from pykamal.sandbox.paths import Paths

Say = Callable[[str], None]


class Provider(Protocol):
    """Makes the servers, the registry and an engine that builds images, and gives access to them.

    Everything that a provider makes can be found by what the manifest holds beforehand, so that `remove` works after
    any failure.
    """

    name: str

    def require(self) -> None:
        """Raise SandboxError with what is missing where this provider cannot work."""

    def make(self, journal: Journal, images: Sequence[Path], say: Say) -> None:
        """Start everything; return when hosts, engines and registry answer. SSH keys and their folders exist already.

        `images` are docker-archives for every host. The registry holds the Python base image afterwards.
        """

    def remove(self, manifest: Manifest, paths: Paths) -> None:
        """End and remove everything of a sandbox but its folder. Missing things are no error."""

    def alive(self, manifest: Manifest) -> dict[str, bool]:
        """Return every machine and service by name; True where it runs."""

    def entrance(self, journal: Journal, machine: Machine) -> Entrance:
        """Return the entrance to a running machine. Raises SandboxError when it does not run."""

    def stop_registry(self, journal: Journal) -> None: ...

    def start_registry(self, journal: Journal) -> None:
        """Start the registry unless it runs; return when it answers."""

    def default_images(self, say: Say) -> list[Path]:
        """Return the images of a new host: the proxy's, built from Debian packages the first time."""

    def environment(self, paths: Paths) -> dict[str, str]:
        """Return the variables with which a Docker client of this machine reaches the engine that builds images."""


class Entrance(Protocol):
    """Access to a machine without SSH, for arranging and observing tests."""

    def argv(self, argv: Sequence[str], *, stdin: bool = False) -> list[str]:
        """Return the argument vector that runs `argv` inside as root."""

    def engine(self) -> Engine:
        """Return the machine's engine, which may be stopped."""

    def set_connected(self, connected: bool) -> None:
        """Disconnect the machine from the network, or connect it again."""


def wait_for_engine(entrance: Entrance, *, timeout_seconds: float = 20.0) -> None:
    """Wait until a machine's engine answers. Raises SandboxError with the end of its log after the time-out."""
    try:
        entrance.engine().wait(timeout_seconds=timeout_seconds)
    except SandboxError as error:
        argv = entrance.argv(["tail", "-n", "5", f"{machine_init.LOGS}/dockerd.log"])
        log = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        raise SandboxError(error.message, details=tuple(log.splitlines()), hint=error.hint) from error
