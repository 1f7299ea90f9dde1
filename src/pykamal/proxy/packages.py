"""Packages of the machine's distribution, downloaded but not installed."""

from __future__ import annotations

import subprocess
from functools import cached_property
from pathlib import Path

from pykamal.proxy.errors import ProxyError


class Packages:
    """Packages of the distribution by their names, as apt sees them.

    What apt must know of all packages is kept in `cache` where the machine does not know it. Needs no root, and changes
    nothing outside of `cache`.
    """

    def __init__(self, names: tuple[str, ...], cache: Path) -> None:
        self._names = names
        self._private = cache / "apt"
        self._options: list[str] = []

    @cached_property
    def wanted(self) -> list[str]:
        """Name and checksum of every package file that apt would fetch now. Raises ProxyError."""
        command = ["download", "--print-uris", *self._names]
        listed = self._apt_get(command)
        if listed.returncode:
            self._use_own_lists()
            listed = self._apt_get(command)
        if listed.returncode:
            raise ProxyError(f"the proxy image needs Debian 12 packages: {listed.stderr.strip()}")
        return sorted(" ".join(line.split()[1:]) for line in listed.stdout.splitlines() if line.startswith("'"))

    def fetch(self, workspace: Path) -> list[Path]:
        """Downloads the packages into a new directory below `workspace`. Raises ProxyError."""
        directory = workspace / "packages"
        directory.mkdir()
        fetched = self._apt_get(["download", "-q", "-o", "APT::Sandbox::User=root", *self._names], directory)
        if fetched.returncode:
            raise ProxyError(f"cannot download the packages of the proxy image: {fetched.stderr.strip()}")
        return sorted(directory.glob("*.deb"))

    def _use_own_lists(self) -> None:
        for name in ("lists/partial", "archives/partial"):
            (self._private / name).mkdir(parents=True, exist_ok=True)
        places = {"Dir::State::lists": "lists", "Dir::Cache": ".", "Dir::Cache::archives": "archives"}
        self._options = [word for key, name in places.items() for word in ("-o", f"{key}={self._private / name}")]
        self._apt_get(["update", "-qq"])

    def _apt_get(self, arguments: list[str], directory: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = ["apt-get", *self._options, *arguments]
        try:
            return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return subprocess.CompletedProcess(command, 127, "", "there is no apt-get on this machine")
