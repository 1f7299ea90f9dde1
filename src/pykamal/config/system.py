"""The machine that a configuration is loaded on, as a protocol: this package reads no file and starts no process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pykamal.erb.system import System as TemplateSystem


class System(TemplateSystem, Protocol):
    """Templates' files and shell lines, and the environment; implemented in `operations.local.local_system`."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The process environment. The loader copies it and never changes it."""

    def run_shell(self, line: str, environment: Mapping[str, str]) -> str:
        """Standard output of `/bin/sh -c LINE`; the exit status is ignored. Raises CommandRefused."""
