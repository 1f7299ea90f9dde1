"""What the configuration needs of the world, as a protocol: the room itself reads no file and starts no process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Outside(Protocol):
    """The caller's side of loading. `pykamal.operations.local.outside.LocalOutside` is the real one."""

    @property
    def working_directory(self) -> Path:
        """Absolute; relative paths of the configuration start here."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The process environment. The loader copies it and never changes it."""

    def read_bytes(self, path: Path, limit: int) -> bytes:
        """The first `limit` bytes of a file. Raises FileNotFoundError, IsADirectoryError or another OSError."""

    def file_names(self, directory: Path) -> Sequence[str]:
        """Names of the files in a directory, none when it does not exist."""

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        """Standard output of `/bin/sh -c LINE`; standard error goes to the terminal, the exit status is ignored."""

    def parse_dotenv(self, text: str, environment: Mapping[str, str]) -> Mapping[str, str]:
        """Names and values of a dotenv file's text; `environment` is what its values may refer to."""
