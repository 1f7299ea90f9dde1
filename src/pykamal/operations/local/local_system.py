"""This machine, for loading the configuration: its files, its environment, its shell."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from pykamal.core.errors import KamalError
from pykamal.core.file_reading import read_regular
from pykamal.erb.system import CommandRefused

MOST_OUTPUT: Final = 16 * 1024 * 1024
"""Bytes that a shell line of the configuration may print."""


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

    @property
    def host_name(self) -> str:
        return socket.gethostname()

    def read_bytes(self, path: Path, limit: int) -> bytes:
        return read_regular(path, limit)

    def file_names(self, directory: Path) -> Sequence[str]:
        try:
            return [entry.name for entry in os.scandir(directory)]
        except OSError:
            return []

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        return self.run_with_status(line, environment)[0]

    def run_with_status(self, line: str, environment: Mapping[str, str]) -> tuple[str, int]:
        """The configuration's own back-ticks: the operator's file is run as the operator, as Ruby Kamal does.

        Raises KamalError for output beyond `MOST_OUTPUT`, after ending the process.
        """
        with subprocess.Popen(
            ["/bin/sh", "-c", line],
            cwd=self._working_directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None, "it is a pipe"
            output = process.stdout.read(MOST_OUTPUT + 1)
            if len(output) > MOST_OUTPUT:
                process.kill()
                raise KamalError(
                    f"`{line}` prints more than {MOST_OUTPUT} bytes",
                    hint="Print only what the configuration needs.",
                )
        return output.decode("utf-8", "replace"), process.returncode

    def parse_dotenv(self, text: str, environment: Mapping[str, str], file: str) -> Mapping[str, str]:
        from pykamal.secrets.dotenv import parse

        run = partial(self.run_shell, environment=environment)
        return parse(text, substitute=run, environment=environment, file=file)


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
        self._roots = tuple(_resolved(root) for root in (roots or (self.working_directory,)))
        self._skip_commands = skip_commands
        self.skipped: list[str] = []

    @property
    def working_directory(self) -> Path:
        return self._files.working_directory

    @property
    def environment(self) -> Mapping[str, str]:
        return self._environment

    def read_bytes(self, path: Path, limit: int) -> bytes:
        resolved = _resolved(path)
        if not self._is_below_roots(resolved):
            roots = " or ".join(map(str, self._roots))
            raise PermissionError(errno.EACCES, f"it is not below {roots}", str(path))
        return self._files.read_bytes(resolved, limit)

    def may_read(self, path: Path) -> bool:
        """Return True where the path, symbolic links resolved, is below one of the roots."""
        try:
            return self._is_below_roots(_resolved(path))
        except OSError:
            return False

    def _is_below_roots(self, resolved: Path) -> bool:
        return any(resolved.is_relative_to(root) for root in self._roots)

    @property
    def host_name(self) -> str:
        return "localhost"

    def file_names(self, directory: Path) -> Sequence[str]:
        """None of a directory that is not below the roots."""
        return self._files.file_names(_resolved(directory)) if self.may_read(directory) else []

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        return self.run_with_status(line, environment)[0]

    def run_with_status(self, line: str, environment: Mapping[str, str]) -> tuple[str, int]:  # noqa: ARG002
        if not self._skip_commands:
            raise CommandRefused(line)
        self.skipped.append(line)
        return "", 0

    def parse_dotenv(self, text: str, environment: Mapping[str, str], file: str) -> Mapping[str, str]:
        from pykamal.secrets.dotenv import parse

        run = partial(self.run_shell, environment=environment)
        return parse(text, substitute=run, environment=environment, file=file)


def _resolved(path: Path) -> Path:
    """The path without symbolic links. Raises OSError for links that lead in a circle, on every version of Python."""
    try:
        return path.resolve()
    except RuntimeError:  # Python 3.12 and older
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None
