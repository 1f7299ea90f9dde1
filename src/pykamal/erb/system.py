"""The machine as templates see it, as a protocol of the caller: this package reads no file and starts no process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class CommandRefused(Exception):
    """This system runs nothing; `line` is the shell line that was not run."""

    def __init__(self, line: str) -> None:
        super().__init__(f"`{line}` is not run here")
        self.line = line


class System(Protocol):
    """Files, shell lines and the dotenv grammar of the caller's machine."""

    @property
    def working_directory(self) -> Path:
        """Absolute; relative paths of a template start here."""

    @property
    def host_name(self) -> str:
        """The machine's own name."""

    def read_bytes(self, path: Path, limit: int) -> bytes:
        """The first `limit` bytes of a regular file.

        Raises FileNotFoundError, IsADirectoryError or another OSError; devices, pipes and sockets are not opened.
        """

    def file_names(self, directory: Path) -> Sequence[str]:
        """Names of the files in a directory, none when it does not exist."""

    def run_with_status(self, line: str, environment: Mapping[str, str]) -> tuple[str, int]:
        """Standard output and exit status of `/bin/sh -c LINE`; standard error goes to the terminal.

        Raises CommandRefused where nothing may run.
        """

    def parse_dotenv(self, text: str, environment: Mapping[str, str], file: str) -> Mapping[str, str]:
        """Names and values of a dotenv file's text; `environment` is what its values may refer to."""
