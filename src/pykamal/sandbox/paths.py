"""The paths of a sandbox's files, and the names of its network interfaces."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from pykamal.core.errors import SandboxError

DEFAULT_HOME = Path("/var/lib/pykamal-sandbox")
DEFAULT_NAME = "default"
NAME_PATTERN = re.compile(r"[a-z][a-z0-9-]{0,30}")


def home() -> Path:
    """Return the folder of all sandboxes: the machine's for root, the user's own otherwise.

    `PYKAMAL_SANDBOX_HOME` moves it.
    """
    if chosen := os.environ.get("PYKAMAL_SANDBOX_HOME"):
        return Path(chosen)
    if os.geteuid() == 0:
        return DEFAULT_HOME
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "pykamal-sandbox"


def cache() -> Path:
    """Return the folder that sandboxes share: base images and prepared engine folders, never anything running."""
    return home() / ".cache"


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of one sandbox. Socket paths stay far below the kernel's 108 bytes."""

    name: str
    root: Path

    @classmethod
    def of(cls, name: str) -> Paths:
        if not NAME_PATTERN.fullmatch(name):
            raise SandboxError(
                f"{name!r} cannot name a sandbox",
                hint="Use lower-case letters, digits and dashes, at most 31, beginning with a letter.",
            )
        own = home() / name
        of_root = DEFAULT_HOME / name  # brought up through sudo, used without
        try:
            root = of_root if not own.exists() and of_root.exists() else own
        except PermissionError as error:
            raise SandboxError(
                f"{error.filename} is not readable", hint="Set PYKAMAL_SANDBOX_HOME to a folder of your own."
            ) from error
        return cls(name=name, root=root)

    @property
    def manifest(self) -> Path:
        return self.root / "manifest.json"

    @property
    def manifest_draft(self) -> Path:
        return self.root / "manifest.new"

    @property
    def shared(self) -> Path:
        """Return the folder that every host sees as /run/sandbox."""
        return self.root / "run"

    @property
    def registry_socket(self) -> Path:
        return self.shared / "registry.sock"

    @property
    def workstation_socket(self) -> Path:
        return self.shared / "docker.sock"

    @property
    def registry(self) -> Path:
        return self.root / "registry"

    @property
    def ssh(self) -> Path:
        return self.root / "ssh"

    @property
    def private_key(self) -> Path:
        return self.ssh / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.ssh / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.ssh / "config"

    @property
    def docker_config(self) -> Path:
        return self.root / "docker-config"

    @property
    def images(self) -> Path:
        """Return the folder of the docker-archives that every host starts with."""
        return self.root / "images"

    @property
    def project(self) -> Path:
        """Return the folder with a ready `config/deploy.yml` and `.kamal/secrets`."""
        return self.root / "project"

    def host(self, host: str) -> Path:
        return self.root / "hosts" / host

    @property
    def bridge(self) -> str:
        return f"ks{self._digest}"

    def link(self, index: int) -> str:
        """Return the name of this machine's end of a host's cable; at most 15 characters, the kernel's limit."""
        return f"ks{self._digest}p{index}"

    @property
    def _digest(self) -> str:
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]
