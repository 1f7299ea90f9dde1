"""Names and removes containers that live as long as one command (spec/cli.md 14.4, 14.8)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from pykamal.commands.command import Command
from pykamal.commands.script import Step, script
from pykamal.core.errors import KamalError
from pykamal.events import Level
from pykamal.operations.context import Context
from pykamal.operations.execution.executor import UNDO_SECONDS
from pykamal.operations.execution.fanout import gather_hosts
from pykamal.operations.hosts.reading import run_on


def name_suffix() -> str:
    """A suffix that tells the containers of one run from those of others: 6 hex digits."""
    return secrets.token_hex(3)


@asynccontextmanager
async def removed_when_interrupted(
    context: Context, hosts: Iterable[str], removals_on: Callable[[str], Iterable[Command]]
) -> AsyncIterator[None]:
    """After Ctrl-C remove what was started: a command that does not heed signals would run on for ever."""

    async def remove(host: str) -> None:
        await run_on(context, host, script(Step("remove", command) for command in removals_on(host)))

    try:
        yield
    except asyncio.CancelledError:
        try:
            async with asyncio.timeout(UNDO_SECONDS):
                await gather_hosts(hosts, remove)
        except (KamalError, TimeoutError) as error:
            context.bus.log(f"Could not remove what was started: {error}", Level.ERROR)
        raise
