"""Commands for the audit log of a service on each host (spec/cli.md 14.0)."""

from __future__ import annotations

from pykamal.commands import run_directory
from pykamal.commands.command import Command, command, query
from pykamal.commands.words import DoubleQuoted, Output
from pykamal.config.models.role import Role
from pykamal.config.models.service import Config


def record(config: Config, message: str, *, who: str, role: Role | None = None) -> Command:
    """Append `[TIME] [WHO] [DESTINATION] [ROLE] MESSAGE`, tags that are not known left out.

    The time is UTC as `2026-11-22T00:30:57Z`, read when the event happens, which may be long after it was planned.
    Written by `printf`, because the `echo` of some shells would turn the two characters `\\n` of a message into a line
    of its own, where others keep them.
    """
    time = query("date", "-u", "+%Y-%m-%dT%H:%M:%SZ")
    tags = (who, config.destination, role.name if role else None)
    line = " ".join([*(f"[{tag}]" for tag in tags if tag), message])
    written = command("printf", "[%s] %s\\n", Output(time), DoubleQuoted(line)).to_file(config.audit_log, append=True)
    return run_directory.make().and_(written).quietly()


def tail(config: Config, lines: int = 50) -> Command:
    """Print the newest lines. Fails where there is no log yet."""
    return query("tail", "-n", str(lines), config.audit_log)
