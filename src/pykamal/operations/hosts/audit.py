"""The audit log that every host keeps (spec/cli.md 14.0)."""

from __future__ import annotations

from pykamal.commands import audit as commands
from pykamal.commands.script import Step
from pykamal.config.models import Role
from pykamal.operations.context import Context
from pykamal.operations.hosts.reading import show_on_hosts


def step(context: Context, message: str, role: Role | None = None) -> Step:
    """The step that notes an event on a host. Others read the log: a command line in it loses its secrets."""
    text = context.bus.sanitized_text(message)
    return Step("audit", commands.record(context.config, text, who=context.local_context.performer, role=role))


async def show(context: Context) -> None:
    """`kamal audit`: the last lines of every selected host's log."""
    await show_on_hosts(context, context.selection.hosts, lambda _: commands.tail(context.config))
