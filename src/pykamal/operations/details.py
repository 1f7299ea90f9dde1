"""`kamal details`: everything that runs, host by host."""

from __future__ import annotations

from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.app import lifecycle as app
from pykamal.operations.context import Context
from pykamal.operations.proxy import lifecycle as proxy


async def details(context: Context) -> None:
    await proxy.details(context)
    await app.details(context)
    for each in context.config.accessories:
        await accessory.details(context, name=each.name)
