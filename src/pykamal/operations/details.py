"""`kamal details`: everything that runs, host by host."""

from __future__ import annotations

from pykamal.operations import accessory, app, proxy
from pykamal.operations.context import Context


async def details(context: Context) -> None:
    await proxy.details(context)
    await app.details(context)
    for each in context.config.accessories:
        await accessory.details(context, name=each.name)
