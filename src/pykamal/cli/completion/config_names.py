"""Reads names of the configuration for completion, on demand, without validating it or running anything of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pykamal.cli.aliases import DEFAULT_CONFIG, alias_lines, selected_files
from pykamal.cli.safe_reading import read_root

if TYPE_CHECKING:
    from pykamal.config.document import MapNode

Described = tuple[str, str]
"""A value, and a few words about it."""

_WILD = "*?["
_TEMPLATE_SECONDS = 0.15
"""Leaves time to read the files without their templates before the answer's deadline."""


@dataclass(frozen=True, slots=True)
class Project:
    """The configuration that `-c` and `-d` select. What cannot be read holds nothing."""

    config_file: str | None = None
    destination: str | None = None

    @classmethod
    def of(cls, words: Sequence[str]) -> Project:
        return cls(*selected_files(words))

    def alias(self, name: str) -> list[str] | None:
        line = self.aliases().get(name)
        try:
            return None if line is None else shlex.split(line)
        except ValueError:
            return None

    def aliases(self) -> Mapping[str, str]:
        return alias_lines(self._root())

    def hosts(self) -> Mapping[str, str]:
        """All hosts with the roles and accessories that they carry, in the order of spec/cli.md 2.1."""
        root = self._root()
        if root is None:
            return {}
        from pykamal.config.document import MapNode
        from pykamal.config.node_reading import entries
        from pykamal.config.servers import AccessoryHosts, by_name, role_nodes

        carried: dict[str, list[str]] = {}
        for role in by_name(role_nodes(root)):
            for host in role.hosts:
                carried.setdefault(host.name, []).append(role.name)
        of_accessories = AccessoryHosts(root)
        for name, node in entries(root.get("accessories")):
            for host_name in of_accessories.of(node) if isinstance(node, MapNode) else ():
                carried.setdefault(host_name, []).append(name)
        return {host_name: ", ".join(names) for host_name, names in carried.items()}

    def roles(self) -> Mapping[str, str]:
        root = self._root()
        if root is None:
            return {}
        from pykamal.config.servers import by_name, role_nodes

        return {role.name: ", ".join(host.name for host in role.hosts) for role in by_name(role_nodes(root))}

    def accessories(self) -> Mapping[str, str]:
        root = self._root()
        if root is None:
            return {}
        from pykamal.config.node_reading import child, entries, text

        return {name: text(child(node, "image")) or "" for name, node in entries(root.get("accessories"))}

    def secrets(self) -> Mapping[str, str]:
        """Names of secrets with the first setting that has each."""
        root = self._root()
        if root is None:
            return {}
        from pykamal.config.secret_names import secret_uses_in

        return {use.name: use.setting for use in reversed(list(secret_uses_in(root)))}

    def versions(self) -> Iterator[Described]:
        """Versions deployed from this machine, the latest first, then the latest commits."""
        from pykamal.cli.completion.known_versions import commits
        from pykamal.operations.local.deployed_versions import remembered

        for version in remembered(service, self.destination) if (service := self._service()) else ():
            yield version, "deployed from here"
        yield from commits()

    def destinations(self) -> Iterator[Described]:
        """Names between those of the configuration file: `staging` for config/deploy.staging.yml."""
        base = self._path()
        for name in sorted(_names(base.parent)):
            inner = name.removeprefix(f"{base.stem}.").removesuffix(".yml")
            if inner and name == f"{base.stem}.{inner}.yml":
                yield inner, str(base.parent / name)

    def config_files(self, current: str) -> Iterator[Described]:
        """YAML files and directories where the word under the cursor points to."""
        folder, slash, _ = current.rpartition("/")
        try:
            found = sorted(os.scandir(Path(folder + slash or ".").expanduser()), key=lambda item: item.name)
        except (OSError, RuntimeError):
            return
        for item in found:
            if item.name.startswith(".") and not current[len(folder + slash) :].startswith("."):
                continue
            if item.is_dir():
                yield f"{folder}{slash}{item.name}/", ""
            elif item.name.endswith((".yml", ".yaml")):
                yield f"{folder}{slash}{item.name}", ""

    def _path(self) -> Path:
        return Path(self.config_file or DEFAULT_CONFIG).expanduser()

    def _service(self) -> str | None:
        root = self._root()
        if root is None:
            return None
        from pykamal.config.node_reading import text

        return text(root.get("service"))

    def _root(self) -> MapNode | None:
        return _read(self._path(), self.destination)


def in_list(names: Mapping[str, str], current: str) -> Iterator[Described]:
    """The word under the cursor as a comma-separated list, with each name that may end it (spec/cli.md 2.2).

    Names that an earlier pattern of the list matches are left out. A wildcard at the end stands for itself.
    """
    from fnmatch import fnmatchcase

    earlier, comma, last = current.rpartition(",")
    if any(character in last for character in _WILD):
        matched = [name for name in names if fnmatchcase(name, last)]
        if matched:
            yield current, ", ".join(matched)
        return
    for name, about in names.items():
        if not any(fnmatchcase(name, pattern) for pattern in earlier.split(",")):
            yield f"{earlier}{comma}{name}", about


def _names(folder: Path) -> Iterable[str]:
    try:
        return [item.name for item in os.scandir(folder)]
    except OSError:
        return []


@cache
def _read(path: Path, destination: str | None) -> MapNode | None:
    from pykamal.core.errors import ConfigurationError

    try:
        return read_root(path, destination, seconds=_TEMPLATE_SECONDS)
    except ConfigurationError:
        return None
