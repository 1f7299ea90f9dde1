"""Commands that the transport uses to start and end processes on a host."""

from __future__ import annotations

from dataclasses import replace

from pykamal.commands.command import Command, command
from pykamal.commands.words import SingleQuoted, Syntax


def shell() -> Command:
    """A POSIX shell that reads its script from standard input, in place of the login shell, whichever that is."""
    return command("exec", "sh", "-s")


def in_shell(inner: Command) -> Command:
    """A line for a POSIX shell on a host whose login shell may be another; it must hold no secret."""
    return command("exec", "sh", "-c", SingleQuoted(inner))


def by_login_shell(line: Command) -> Command:
    """A line for the login's own shell, as `ssh HOST LINE` gives it; shown as it is. It must hold no secret.

    sshd sets `SHELL` to the shell of the user's entry in the user database. `SHLVL` tells bash that it is not the first
    shell below sshd, so that it does not read `~/.bashrc` a second time; what that file exports is there.
    """
    # A text that begins with a dash would be read as more options.
    text = f" {line.shell_text()}" if line.shell_text().startswith("-") else line
    shell = command(Syntax('SHLVL=1 "${SHELL:-sh}"'), "-c", SingleQuoted(text))
    return replace(line, node=shell.node, summary=line.display_text(), user_line=True)


def end_group(process_group: int, *, signal: str = "TERM") -> Command:
    """Signal every process of a group; fails when there is none left.

    In the one spelling that the `kill` of dash, bash and BusyBox all take: no `--` before the group.
    """
    return command("kill", f"-{signal}", f"-{process_group}").failing_allowed()
