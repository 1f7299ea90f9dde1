"""Processes on a host that the transport started there."""

from __future__ import annotations

from pykamal.commands.command import Command, command
from pykamal.commands.words import SingleQuoted


def shell() -> Command:
    """A POSIX shell that reads its script from standard input, in place of the login shell, whichever that is."""
    return command("exec", "sh", "-s")


def in_shell(inner: Command) -> Command:
    """A line for a POSIX shell on a host whose login shell may be another; it must hold no secret."""
    return command("exec", "sh", "-c", SingleQuoted(inner))


def end_group(process_group: int, *, signal: str = "TERM") -> Command:
    """Signal every process of a group; fails when there is none left.

    In the one spelling that the `kill` of dash, bash and BusyBox all take: no `--` before the group.
    """
    return command("kill", f"-{signal}", f"-{process_group}").failing_allowed()
