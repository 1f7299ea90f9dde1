"""The interface to the machine, which the caller implements: this package reads no file and starts no process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class CommandRefused(Exception):
    """The system runs no commands; `line` is the shell line that was refused."""

    def __init__(self, line: str) -> None:
        super().__init__(f"`{line}` is not run here")
        self.line = line


class System(Protocol):
    """Files, shell lines and the dotenv grammar of the caller's machine."""

    @property
    def working_directory(self) -> Path:
        """Return the absolute directory of a template's relative paths."""

    @property
    def host_name(self) -> str:
        """Return the machine's host name."""

    def read_bytes(self, path: Path, limit: int) -> bytes:
        """Read the first `limit` bytes of a regular file.

        Raises FileNotFoundError, IsADirectoryError or another OSError; devices, pipes and sockets are not opened.
        """

    def file_names(self, directory: Path) -> Sequence[str]:
        """Return the names of files in a directory, none where it does not exist."""

    def run_with_status(self, line: str, environment: Mapping[str, str]) -> tuple[str, int]:
        """Run `/bin/sh -c LINE`; return standard output and exit status. Standard error goes to the terminal.

        Raises CommandRefused where nothing may run.
        """

    def parse_dotenv(self, text: str, environment: Mapping[str, str], file: str) -> Mapping[str, str]:
        """Parse the text of a dotenv file; its values may refer to names of `environment`."""
