"""The audit log of a service on each host (spec/cli.md 14.0)."""

from __future__ import annotations

from pykamal.commands.command import Command, command, query
from pykamal.commands.words import Expanded
from pykamal.config.models.role import Role
from pykamal.config.models.service import Config


def record(config: Config, message: str, *, who: str, at: str, role: Role | None = None) -> Command:
    """Append `[AT] [WHO] [DESTINATION] [ROLE] MESSAGE`, tags that are not known left out.

    `at` is UTC as `2026-11-22T00:30:57Z`. Written by `printf`, because the `echo` of some shells would turn the two
    characters `\\n` of a message into a line of its own, where others keep them.
    """
    tags = (at, who, config.destination, role.name if role else None)
    line = " ".join([*(f"[{tag}]" for tag in tags if tag), message])
    written = command("printf", "%s\\n", Expanded(line)).to_file(config.audit_log, append=True)
    return command("mkdir", "-p", ".kamal").and_(written).quietly()


def tail(config: Config, lines: int = 50) -> Command:
    """The newest lines. Fails where there is no log yet."""
    return query("tail", "-n", str(lines), config.audit_log)
