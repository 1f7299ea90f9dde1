"""The run directory of a login on a host, `.kamal`, which is closed to all other users of the host."""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, command, query
from pykamal.commands.words import Syntax

RUN_DIRECTORY: Final = ".kamal"


def make(directory: str = RUN_DIRECTORY) -> Command:
    """Make the run directory, or one in it. A run directory that was left open, as Ruby Kamal makes it, is closed."""
    return _make_directory(directory, RUN_DIRECTORY)


def make_private(directory: str) -> Command:
    """The same with the directory itself closed too, for secrets."""
    return _make_directory(directory, RUN_DIRECTORY, directory)


def _make_directory(directory: str, *closed: str) -> Command:
    """Logins that share a run directory by a link keep the modes that its owner gave it."""
    shared = query("test", Syntax("!"), "-O", RUN_DIRECTORY)
    return command("mkdir", "-p", directory).and_(shared.or_(command("chmod", "0700", *closed)).grouped())
