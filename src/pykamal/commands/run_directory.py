"""Commands for the run directory `.kamal` on a host, which is closed to all other users of the host."""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, command, query
from pykamal.commands.words import Syntax

RUN_DIRECTORY: Final = ".kamal"


def make(directory: str = RUN_DIRECTORY) -> Command:
    """Make the run directory, or one in it. A run directory that was left open, as Ruby Kamal makes it, is closed."""
    return _make_directory(directory, RUN_DIRECTORY)


def make_private(directory: str) -> Command:
    """Make a directory in the run directory that is closed itself, for secrets."""
    return _make_directory(directory, RUN_DIRECTORY, directory)


def _make_directory(directory: str, *closed: str) -> Command:
    """Make directories. A run directory that is a link, shared by logins, keeps the modes of its owner."""
    shared = query("test", Syntax("!"), "-O", RUN_DIRECTORY)
    return command("mkdir", "-p", directory).and_(shared.or_(command("chmod", "0700", *closed)).grouped())
