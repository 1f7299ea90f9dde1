"""The real Ruby Kamal, which `scripts/setup` installs; a missing one is an error, never a skipped test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_INSTALLED = Path(__file__).parents[2] / ".cache" / "oracle" / "bin" / "kamal"


def ruby_kamal() -> Path:
    """The program: KAMAL_ORACLE names another one than the installed."""
    program = Path(os.environ.get("KAMAL_ORACLE", _INSTALLED))
    assert program.is_file(), f"Ruby Kamal is not at {program}: run scripts/setup, or set KAMAL_ORACLE"
    return program


def ruby_output(arguments: list[str], directory: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit status and standard output of one run."""
    finished = subprocess.run(
        [ruby_kamal(), *arguments],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return finished.returncode, finished.stdout
