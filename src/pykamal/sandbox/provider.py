"""The one seam of the sandbox: what kind of thing plays the server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pykamal.core.errors import SandboxError
from pykamal.sandbox import init
from pykamal.sandbox.engine import Engine
from pykamal.sandbox.manifest import Journal, Machine, Manifest
from pykamal.sandbox.paths import Paths

Say = Callable[[str], None]


class Provider(Protocol):
    """Makes the servers, the registry and an engine that builds images, and lets the sandbox into them.

    Everything that a provider makes can be found by what the manifest holds beforehand, so that `remove` works after
    any failure.
    """

    name: str

    def require(self) -> None:
        """Raise SandboxError, saying what is missing, where this provider cannot work."""

    def make(self, journal: Journal, images: Sequence[Path], say: Say) -> None:
        """Start everything; return when hosts, engines and registry answer. SSH keys and their folders exist already.

        `images` are docker-archives for every host. The registry holds the Python base image afterwards.
        """

    def remove(self, manifest: Manifest, paths: Paths) -> None:
        """End and take away everything of a sandbox but its folder. Missing things are no error."""

    def alive(self, manifest: Manifest) -> dict[str, bool]:
        """Every machine and service by name, and whether it runs."""

    def entrance(self, journal: Journal, machine: Machine) -> Entrance:
        """The door into a running machine. Raises SandboxError when it does not run."""

    def stop_registry(self, journal: Journal) -> None: ...

    def start_registry(self, journal: Journal) -> None:
        """Start it unless it runs; return when it answers."""

    def default_images(self, say: Say) -> list[Path]:
        """What hosts have before anything is deployed: the proxy's image, built from Debian packages the first time."""

    def environment(self, paths: Paths) -> dict[str, str]:
        """What a Docker client on this machine needs to reach the engine that builds images."""


class Entrance(Protocol):
    """A way into a machine that is not SSH, for arranging and observing tests."""

    def argv(self, argv: Sequence[str], *, stdin: bool = False) -> list[str]:
        """The argument vector that runs `argv` in there as root."""

    def engine(self) -> Engine:
        """The machine's engine; it may be stopped."""

    def set_connected(self, connected: bool) -> None:
        """Cut the machine off from the network, or put it back."""


def wait_for_engine(entrance: Entrance, *, timeout_seconds: float = 20.0) -> None:
    """Until a machine's engine answers. Raises SandboxError with the end of its log after the time-out."""
    try:
        entrance.engine().wait(timeout_seconds=timeout_seconds)
    except SandboxError as error:
        argv = entrance.argv(["tail", "-n", "5", f"{init.LOGS}/dockerd.log"])
        log = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
        raise SandboxError(error.message, details=tuple(log.splitlines()), hint=error.hint) from error
