"""`kamal details`: everything that runs, host by host."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from pykamal.core.errors import HostErrors, KamalError
from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.app import lifecycle as app
from pykamal.operations.context import Context
from pykamal.operations.execution.fanout import raise_collected
from pykamal.operations.proxy import lifecycle as proxy


async def details(context: Context) -> None:
    """Show what hosts answer, whatever others do not. Raises the failures afterwards."""
    looks: list[Callable[[], Awaitable[None]]] = [
        partial(proxy.details, context),
        partial(app.details, context),
        *(partial(accessory.details_of, context, each) for each in context.config.accessories),
    ]
    errors: dict[str | None, KamalError] = {}
    for look in looks:
        try:
            await look()
        except KamalError as error:
            for each in error.errors if isinstance(error, HostErrors) else (error,):
                errors.setdefault(each.host, each)
    raise_collected([*errors.values()])
