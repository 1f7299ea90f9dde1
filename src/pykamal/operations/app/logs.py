"""Shows the logs of the application's containers (spec/cli.md 14.5)."""

from __future__ import annotations

from collections.abc import Iterator

from pykamal.commands import app as commands
from pykamal.commands.command import Command
from pykamal.commands.logs import ALL_LINES, FOLLOWED_LINES, LogSelection
from pykamal.commands.script import Step
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.hosts.reading import ENGINE, read_facts, show_steps
from pykamal.operations.local.terminal import followed


async def logs(context: Context, selection: LogSelection = ALL_LINES, *, container_id: str | None = None) -> None:
    """Log lines of every role and host; `Nothing found` where there are none.

    Raises `KamalError` for a container that no host has.
    """
    config, shown = context.config, selection.limited()
    hosts = context.selection.app_hosts if container_id is None else await _hosts_with(context, container_id)

    def steps_for(host: str) -> Iterator[Step]:
        yield ENGINE
        for role in context.selection.roles_on(host):
            for name, check in commands.log_checks(config, role, shown, container_id):
                yield Step(name, check)
            yield Step("", commands.logs(config, role, shown, container_id=container_id).failing_allowed())

    await show_steps(context, hosts, lambda host: [*steps_for(host)], verbatim=True, otherwise="Nothing found")


async def _hosts_with(context: Context, container_id: str) -> list[str]:
    """The hosts of a container, facts by its name or the beginning of its id."""
    facts = await read_facts(context, context.selection.app_hosts)
    found = [
        host
        for host in context.selection.app_hosts
        for each in facts[host].containers
        if container_id == each.name or each.identifier.startswith(container_id[: len(each.identifier)])
    ]
    if not found:
        hosts = ", ".join(context.selection.app_hosts)
        raise KamalError(
            f"There is no container {container_id} on {hosts}", hint="list the containers with `kamal app containers`"
        )
    return found


def following(
    context: Context, selection: LogSelection = ALL_LINES, *, container_id: str | None = None
) -> tuple[str, Command]:
    """The host and the command to follow in a terminal: the primary role, or the first one asked for.

    Raises `KamalError` where no host or role is selected.
    """
    host = context.selection.primary_host
    role = context.selection.primary_role
    if host is None or role is None:
        raise KamalError("No host to follow logs on", hint="check --hosts and --roles")
    limited = selection.limited(FOLLOWED_LINES)
    shown = commands.logs(context.config, role, limited, container_id=container_id, follow=True)
    return followed(context, host, shown, what=role.name, others=context.selection.app_hosts)
