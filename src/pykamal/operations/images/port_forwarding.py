"""Forwards the port of a local registry to hosts (spec/cli.md 15.6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from pykamal.core.errors import ConnectionFailed, KamalError
from pykamal.events import Level
from pykamal.operations.context import Context
from pykamal.operations.execution.fanout import gather_hosts

FORWARDING_SECONDS: Final = 30.0


@asynccontextmanager
async def forwarded(context: Context, port: int, hosts: Sequence[str]) -> AsyncIterator[None]:
    """While the block runs, `127.0.0.1:PORT` of every host leads to `localhost:PORT` of this machine.

    Over the connections that the hosts have anyway, so with the configuration's SSH settings, towards builders too.
    Raises `ConnectionFailed`, or `HostErrors` for several hosts.
    """
    context.bus.say(f"Setting up local registry port forwarding to {', '.join(hosts)}...")
    async with AsyncExitStack() as stack:

        async def forward(host: str) -> None:
            try:
                session = await context.fleet.session(host)
                await stack.enter_async_context(session.forward_remote_port(port, port))
            except KamalError as error:
                what = f"Error setting up port forwarding to {host}: {error.label}: {error.message}"
                context.bus.log(what, Level.ERROR, host=host)
                raise

        try:
            async with asyncio.timeout(FORWARDING_SECONDS):
                await gather_hosts(hosts, forward)
        except TimeoutError as error:
            raise ConnectionFailed(
                "Timed out waiting for port forwarding to be established",
                hint="check whether the hosts answer, and whether their sshd has AllowTcpForwarding yes",
            ) from error
        yield
