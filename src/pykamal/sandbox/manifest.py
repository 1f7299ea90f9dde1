"""The record of all that a sandbox makes on this machine, written before and while it is made.

Nothing is ever ended or deleted that is not in here, and a process only when it is still the one that was started.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pykamal.core.errors import SandboxError
from pykamal.sandbox import background_processes
from pykamal.sandbox.paths import Paths

FORMAT = "pykamal-sandbox/1"


@dataclass(frozen=True, slots=True)
class Process:
    """`role` says what it is for; `started_ticks` (since boot) tells it from a later process with the same pid."""

    role: str
    pid: int
    started_ticks: int

    @property
    def alive(self) -> bool:
        return background_processes.start_time_ticks(self.pid) == self.started_ticks


@dataclass(frozen=True, slots=True)
class Machine:
    """A host, or the workstation engine. `address` is an IPv4 address, `link` this machine's end of its cable."""

    name: str
    address: str
    link: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """`token` marks the things of the kernel that can carry a mark; `boot` is the boot that processes belong to."""

    name: str
    token: str
    boot: str
    provider: str
    subnet: str
    gateway: str
    bridge: str
    registry_port: int
    registry_username: str
    registry_password: str
    workstation: Machine
    hosts: tuple[Machine, ...]
    processes: tuple[Process, ...] = ()

    @property
    def machines(self) -> tuple[Machine, ...]:
        return (self.workstation, *self.hosts)

    @property
    def registry_server(self) -> str:
        """Return the registry's address. `localhost:` would mean a registry that Kamal starts (spec/config.md 6.3)."""
        return f"127.0.0.1:{self.registry_port}"

    @property
    def mark(self) -> str:
        return f"pykamal-sandbox {self.name} {self.token}"

    def process(self, role: str) -> Process | None:
        """Return the newest process of a role."""
        return next((process for process in reversed(self.processes) if process.role == role), None)

    def save(self, paths: Paths) -> None:
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2)
        temporary = paths.manifest_draft
        temporary.touch(mode=0o600)
        temporary.write_text(text + "\n")
        who = owner()
        if who is not None:
            os.chown(temporary, *who)
        temporary.replace(paths.manifest)


class Journal:
    """The manifest while a sandbox is made or changed: every addition is on disk before the next thing happens."""

    def __init__(self, manifest: Manifest, paths: Paths) -> None:
        self.manifest = manifest
        self.paths = paths
        self._lock = threading.Lock()

    def add(self, role: str, pid: int) -> None:
        """Record a process that was just started. Raises SandboxError when it has ended already."""
        ticks = background_processes.start_time_ticks(pid)
        if ticks is None:
            raise SandboxError(f"The {role} ended at once", hint=f"Its log is in {self.paths.root}.")
        with self._lock:
            kept = tuple(process for process in self.manifest.processes if process.role != role or process.alive)
            self.manifest = replace(self.manifest, processes=(*kept, Process(role, pid, ticks)))
            self.manifest.save(self.paths)


def load(paths: Paths) -> Manifest | None:
    """Load the manifest of a sandbox, None where there is none. Raises SandboxError for another user's folder."""
    try:
        content = json.loads(paths.manifest.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SandboxError(f"{paths.manifest} cannot be read: {error}", hint=_foreign_hint(paths)) from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT or content["name"] != paths.name:
        raise SandboxError(f"{paths.manifest} is not the manifest of this sandbox", hint=_foreign_hint(paths))
    return Manifest(
        **content
        | {
            "workstation": Machine(**content["workstation"]),
            "hosts": tuple(Machine(**host) for host in content["hosts"]),
            "processes": tuple(Process(**process) for process in content["processes"]),
        }
    )


def boot_identifier() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def owner() -> tuple[int, int] | None:
    """Return the user and group that became root by sudo, so that files can be given to them."""
    if os.geteuid() != 0:
        return None
    user, group = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    return (int(user), int(group)) if user and group else None


def _foreign_hint(paths: Paths) -> str:
    return f"Look into {paths.root} and remove it by hand when nothing of it is needed."
