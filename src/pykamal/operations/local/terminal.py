"""Shared parts of commands that take the operator's terminal (spec/cli.md 14.4, 14.5, 19)."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from pykamal.commands.command import Command, command
from pykamal.commands.flags import Interactive
from pykamal.core.errors import UsageError
from pykamal.operations.context import Context


def interactive_flags() -> Interactive:
    """Return Docker's flags for an interactive run: a terminal only when there is one (spec/cli.md 14.4)."""
    return "tty" if sys.stdin.isatty() else "stdin"


def require_command(line: str) -> None:
    """Raises `UsageError` when an exec was given nothing to execute."""
    if not line.strip():
        raise UsageError("No command provided. You must specify a command to execute.")


def followed(context: Context, host: str, logs: Command, *, what: str, others: Sequence[str]) -> tuple[str, Command]:
    """The command that shows logs until Ctrl-C, which then is exit status 130 and not that of a broken connection.

    Tells first that one host alone is followed, so that nobody takes it for all of them.
    """
    context.bus.log(f"Following logs on {host}...", host=host)
    missing = [other for other in others if other != host]
    if missing:
        context.bus.log(f"Only {what} on {host} is followed, not on {', '.join(missing)} (choose with --hosts)")
    return host, command("trap", f"exit {128 + signal.SIGINT}", "INT").then(logs)
