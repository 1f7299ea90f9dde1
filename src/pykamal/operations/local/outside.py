"""This machine, for loading the configuration: its files, its environment, its shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class LocalOutside:
    """The real `pykamal.config.outside.Outside`."""

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
        with path.open("rb") as file:
            return file.read(limit)

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
