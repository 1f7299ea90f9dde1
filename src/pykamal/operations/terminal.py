"""What commands that take the operator's terminal have in common (spec/cli.md 14.4, 14.5, 19)."""

from __future__ import annotations

import sys

from pykamal.commands.flags import Interactive
from pykamal.core.errors import UsageError
from pykamal.operations.context import Context


def interactive_flags() -> Interactive:
    """How Docker is asked for an interactive run: with a terminal only when there is one (spec/cli.md 14.4)."""
    return "tty" if sys.stdin.isatty() else "stdin"


def require_command(command: str) -> None:
    """Raises `UsageError` when an exec was given nothing to execute."""
    if not command.strip():
        raise UsageError("No command provided. You must specify a command to execute.")


def say_following(context: Context, host: str, *, what: str, others: int = 0) -> None:
    """The first line of followed logs: only one host is followed, so that nobody takes it for all of them."""
    context.bus.log(f"Following logs on {host}...", host=host)
    if others:
        hosts = "1 other host is" if others == 1 else f"{others} other hosts are"
        context.bus.log(f"This is {what} on {host} alone; {hosts} not shown (choose with --hosts)", host=host)
