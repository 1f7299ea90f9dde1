"""The team's own scripts (spec/cli.md 9)."""

from __future__ import annotations

from pykamal.commands.command import Command, command


def run(path: str) -> Command:
    """Run a hook. A name without a folder is taken from the working directory, never from the PATH."""
    return command(path if "/" in path else f"./{path}")
