"""The audit log that every host keeps (spec/cli.md 14.0)."""

from __future__ import annotations

from pykamal.commands import audit as commands
from pykamal.commands.script import Step
from pykamal.config.models import Role
from pykamal.operations.context import Context
from pykamal.operations.hosts.reading import show_on_hosts


def step(context: Context, message: str, role: Role | None = None) -> Step:
    """The step that notes an event on a host."""
    command = commands.record(context.config, message, who=context.workplace.performer, role=role)
    return Step("audit", command)


async def show(context: Context) -> None:
    """`kamal audit`: the last lines of every selected host's log."""
    await show_on_hosts(context, context.targets.hosts, lambda _: commands.tail(context.config))
