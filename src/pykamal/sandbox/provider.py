"""The one seam of the sandbox: what kind of thing plays the server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from pykamal.sandbox.engine import Engine
from pykamal.sandbox.manifest import Journal, Machine, Manifest


class Provider(Protocol):
    """Makes machines (servers, and the workstation engine that builds images) and lets the sandbox into them.

    Everything that a provider makes is in the manifest before it exists, so that `remove` works after any failure.
    """

    name: str

    def require(self) -> None:
        """Raise SandboxError, saying what is missing, where this provider cannot work."""

    def make_network(self, journal: Journal) -> None:
        """Make what connects the machines to each other and to this machine."""

    def start(self, journal: Journal, machine: Machine) -> None:
        """Start a machine whose folder is prepared; return once it can be entered, not once it is ready."""

    def remove(self, manifest: Manifest) -> None:
        """End and take away everything of a sandbox but its folder. Missing things are no error."""

    def entrance(self, manifest: Manifest, machine: Machine) -> Entrance:
        """The door into a running machine. Raises SandboxError when it does not run."""


class Entrance(Protocol):
    """A way into a machine that is not SSH, for arranging and observing tests."""

    def argv(self, argv: Sequence[str]) -> list[str]:
        """The argument vector that runs `argv` in there as root."""

    def path(self, path: str) -> Path:
        """Where a file of the machine is seen from outside."""

    def engine(self) -> Engine:
        """The machine's engine; it may be stopped."""

    def set_connected(self, connected: bool) -> None:
        """Cut the machine off from the network, or put it back."""
