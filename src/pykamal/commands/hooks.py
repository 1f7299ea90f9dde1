"""Commands that run hooks (spec/cli.md 9)."""

from __future__ import annotations

from pykamal.commands.command import Command, command


def run(path: str) -> Command:
    """Run a hook. A name without a folder is a file of the working directory, never of the PATH."""
    return command(path if "/" in path else f"./{path}")
