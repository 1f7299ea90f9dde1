"""Shows the logs of accessories (spec/cli.md 14.8)."""

from __future__ import annotations

from pykamal.commands import accessory as commands
from pykamal.commands.command import Command
from pykamal.commands.logs import ALL_LINES, LogSelection, container_checks
from pykamal.commands.subject import Action, of_accessory
from pykamal.operations.accessory.exec import chosen_host
from pykamal.operations.accessory.lifecycle import single
from pykamal.operations.context import Context
from pykamal.operations.hosts.reading import show_on_hosts
from pykamal.operations.local.terminal import followed


async def logs(context: Context, selection: LogSelection = ALL_LINES, *, name: str) -> None:
    """Log lines of every host that the accessory is on."""
    accessory = single(context, name)
    command, checks = commands.logs(accessory, selection.limited()), container_checks(accessory.service, selection)
    hosts, looked_at = context.selection.hosts_of(accessory), of_accessory(Action.LOOK, accessory)
    await show_on_hosts(context, hosts, lambda _: command, kind=None, checks=checks, subject=looked_at, verbatim=True)


def following(context: Context, selection: LogSelection = ALL_LINES, *, name: str) -> tuple[str, Command]:
    """The host and the command to follow in a terminal."""
    accessory = single(context, name)
    host = chosen_host(context, accessory)
    shown = commands.logs(accessory, selection, follow=True)
    return followed(context, host, shown, what=accessory.name, others=context.selection.hosts_of(accessory))
