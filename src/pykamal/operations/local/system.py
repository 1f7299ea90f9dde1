"""This machine, for loading the configuration: its files, its environment, its shell."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pykamal.core.files import read_regular
from pykamal.erb.system import CommandRefused


class LocalSystem:
    """The real `pykamal.config.system.System`."""

    def __init__(self, working_directory: Path | None = None, environment: Mapping[str, str] | None = None) -> None:
        self._working_directory = working_directory if working_directory is not None else Path.cwd()
        self._environment = environment if environment is not None else os.environ

    @property
    def working_directory(self) -> Path:
        return self._working_directory

    @property
    def environment(self) -> Mapping[str, str]:
        return self._environment

    def read_bytes(self, path: Path, limit: int) -> bytes:
        return read_regular(path, limit)

    def file_names(self, directory: Path) -> Sequence[str]:
        try:
            return [entry.name for entry in os.scandir(directory)]
        except OSError:
            return []

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        """The configuration's own back-ticks: the operator's file is run as the operator, as Ruby Kamal does."""
        finished = subprocess.run(
            ["/bin/sh", "-c", line],
            cwd=self._working_directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=False,
        )
        return finished.stdout.decode("utf-8", "replace")

    def parse_dotenv(self, text: str, environment: Mapping[str, str]) -> Mapping[str, str]:
        from pykamal.secrets.dotenv import parse

        return parse(text, substitute=lambda line: self.run_shell(line, environment), environment=environment)


class SafeSystem:
    """A `System` for files that nobody has decided to trust: it runs nothing.

    Of the environment only the names in `visible` are there. Files are read below `roots` only, symbolic links
    resolved; that is the working directory where none are given. A shell line raises CommandRefused; with
    `skip_commands` its output is empty instead and the line stands in `skipped`, for callers who show what is known.
    """

    def __init__(
        self,
        working_directory: Path | None = None,
        *,
        visible: Collection[str] = (),
        roots: Collection[Path] = (),
        environment: Mapping[str, str] | None = None,
        skip_commands: bool = False,
    ) -> None:
        given = os.environ if environment is None else environment
        self._files = LocalSystem(working_directory, {})
        self._environment = {name: given[name] for name in visible if name in given}
        self._roots = tuple(root.resolve() for root in (roots or (self.working_directory,)))
        self._skip_commands = skip_commands
        self.skipped: list[str] = []

    @property
    def working_directory(self) -> Path:
        return self._files.working_directory

    @property
    def environment(self) -> Mapping[str, str]:
        return self._environment

    def read_bytes(self, path: Path, limit: int) -> bytes:
        resolved = path.resolve()
        if not any(resolved.is_relative_to(root) for root in self._roots):
            roots = " or ".join(map(str, self._roots))
            raise PermissionError(errno.EACCES, f"it is not below {roots}", str(path))
        return self._files.read_bytes(resolved, limit)

    def file_names(self, directory: Path) -> Sequence[str]:
        return self._files.file_names(directory)

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:  # noqa: ARG002 - nothing is run
        if not self._skip_commands:
            raise CommandRefused(line)
        self.skipped.append(line)
        return ""

    def parse_dotenv(self, text: str, environment: Mapping[str, str]) -> Mapping[str, str]:
        from pykamal.secrets.dotenv import parse

        return parse(text, substitute=lambda line: self.run_shell(line, environment), environment=environment)
