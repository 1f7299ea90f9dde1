"""What accessories wrote (spec/cli.md 14.8)."""

from __future__ import annotations

from pykamal.commands import accessory as commands
from pykamal.commands.command import Command
from pykamal.operations.accessory.exec import chosen_host
from pykamal.operations.accessory.lifecycle import single
from pykamal.operations.context import Context
from pykamal.operations.hosts.reading import FOLLOWED_LINES, log_lines, show_on_hosts
from pykamal.operations.local.terminal import followed


async def logs(
    context: Context,
    *,
    name: str,
    since: str | None = None,
    lines: int | None = None,
    grep: str | None = None,
    grep_options: str | None = None,
    timestamps: bool = True,
) -> None:
    accessory = single(context, name)
    shown = log_lines(lines, since=since, grep=grep)
    command = commands.logs(
        accessory, since=since, lines=shown, grep=grep, grep_options=grep_options, timestamps=timestamps
    )
    await show_on_hosts(context, context.targets.hosts_of(accessory), lambda _: command, kind=None)


def following(
    context: Context,
    *,
    name: str,
    lines: int | None = None,
    since: str | None = None,
    grep: str | None = None,
    grep_options: str | None = None,
    timestamps: bool = True,
) -> tuple[str, Command]:
    """The host and the command to follow in a terminal."""
    accessory = single(context, name)
    host = chosen_host(context, accessory)
    shown = commands.logs(
        accessory,
        since=since,
        lines=log_lines(lines, since=since, grep=None, default=FOLLOWED_LINES),
        grep=grep,
        grep_options=grep_options,
        timestamps=timestamps,
        follow=True,
    )
    return followed(context, host, shown, what=accessory.name, others=context.targets.hosts_of(accessory))
