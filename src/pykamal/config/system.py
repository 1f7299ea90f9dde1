"""The machine that a configuration is loaded on, as a protocol: this package reads no file and starts no process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pykamal.erb.system import System as TemplateSystem


class System(TemplateSystem, Protocol):
    """Templates' files and shell lines, and the environment. `pykamal.operations.local.system` has the real ones."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The process environment. The loader copies it and never changes it."""

    def file_names(self, directory: Path) -> Sequence[str]:
        """Names of the files in a directory, none when it does not exist."""
