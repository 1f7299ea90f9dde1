"""`kamal remove`: the application, its proxy, its accessories, its registry login (spec/cli.md 13.6)."""

from __future__ import annotations

from pykamal.operations import accessory, app_removal, lock, proxy, registry
from pykamal.operations.context import Context


async def remove(context: Context) -> None:
    """Remove everything from the selected hosts; the proxy stays where other applications use it."""
    async with lock.held(context):
        await app_removal.remove(context)
        await proxy.remove(context)
        for each in context.config.accessories:
            await accessory.remove(context, name=each.name)
        if not context.config.registry.local:
            await registry.logout(context, skip_local=True)
