"""What the application's containers wrote (spec/cli.md 14.5)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.commands import app as commands
from pykamal.commands.command import Command
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.hosts.reading import FOLLOWED_LINES, log_lines, show_on_hosts
from pykamal.operations.local.terminal import followed


async def logs(
    context: Context,
    *,
    since: str | None = None,
    lines: int | None = None,
    grep: str | None = None,
    grep_options: str | None = None,
    timestamps: bool = True,
    container_id: str | None = None,
) -> None:
    """Log lines of every role and host; `Nothing found` where there are none."""
    shown = log_lines(lines, since=since, grep=grep)

    def commands_for(host: str) -> Sequence[Command]:
        return [
            commands.logs(
                context.config,
                role,
                container_id=container_id,
                since=since,
                lines=shown,
                grep=grep,
                grep_options=grep_options,
                timestamps=timestamps,
            )
            for role in context.targets.roles_on(host)
        ]

    await show_on_hosts(context, context.targets.app_hosts, commands_for, otherwise="Nothing found")


def following(
    context: Context,
    *,
    since: str | None = None,
    lines: int | None = None,
    grep: str | None = None,
    grep_options: str | None = None,
    timestamps: bool = True,
    container_id: str | None = None,
) -> tuple[str, Command]:
    """The host and the command to follow in a terminal: the primary role, or the first one asked for."""
    host = context.targets.primary_host
    role = context.targets.primary_role
    if host is None or role is None:
        raise KamalError("No host to follow logs on", hint="check --hosts and --roles")
    shown = commands.logs(
        context.config,
        role,
        container_id=container_id,
        since=since,
        lines=log_lines(lines, since=since, grep=grep, default=FOLLOWED_LINES),
        grep=grep,
        grep_options=grep_options,
        timestamps=timestamps,
        follow=True,
    )
    return followed(context, host, shown, what=role.name, others=context.targets.app_hosts)
