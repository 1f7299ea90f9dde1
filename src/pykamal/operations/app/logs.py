"""What the application's containers wrote (spec/cli.md 14.5)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.commands import app as commands
from pykamal.commands.command import Command
from pykamal.commands.logs import ALL_LINES, FOLLOWED_LINES, LogSelection
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.hosts.reading import show_on_hosts
from pykamal.operations.local.terminal import followed


async def logs(context: Context, selection: LogSelection = ALL_LINES, *, container_id: str | None = None) -> None:
    """Log lines of every role and host; `Nothing found` where there are none."""
    shown = selection.limited()

    def commands_for(host: str) -> Sequence[Command]:
        roles = context.targets.roles_on(host)
        return [commands.logs(context.config, role, shown, container_id=container_id) for role in roles]

    await show_on_hosts(context, context.targets.app_hosts, commands_for, verbatim=True, otherwise="Nothing found")


def following(
    context: Context, selection: LogSelection = ALL_LINES, *, container_id: str | None = None
) -> tuple[str, Command]:
    """The host and the command to follow in a terminal: the primary role, or the first one asked for.

    Raises `KamalError` where no host or role is selected.
    """
    host = context.targets.primary_host
    role = context.targets.primary_role
    if host is None or role is None:
        raise KamalError("No host to follow logs on", hint="check --hosts and --roles")
    limited = selection.limited(FOLLOWED_LINES)
    shown = commands.logs(context.config, role, limited, container_id=container_id, follow=True)
    return followed(context, host, shown, what=role.name, others=context.targets.app_hosts)
