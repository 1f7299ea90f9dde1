"""`kamal remove`: the application, its proxy, its accessories, its registry login (spec/cli.md 13.6)."""

from __future__ import annotations

from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.app import removal as app_removal
from pykamal.operations.context import Context
from pykamal.operations.hosts import lock
from pykamal.operations.images import registry
from pykamal.operations.proxy import lifecycle as proxy


async def remove(context: Context) -> None:
    """Remove everything from the selected hosts; the proxy stays where other applications use it."""
    async with lock.held(context):
        await app_removal.remove(context)
        await proxy.remove(context)
        for each in context.config.accessories:
            await accessory.remove(context, name=each.name)
        if not context.config.registry.local:
            await registry.logout(context, skip_local=True)
