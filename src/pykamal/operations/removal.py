"""Removes the application, its proxy, its accessories and its registry login (spec/cli.md 13.6)."""

from __future__ import annotations

from pykamal.config.models import Accessory
from pykamal.events import Tone
from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.accessory.sharing import Users, users_elsewhere
from pykamal.operations.app import removal as app_removal
from pykamal.operations.context import Context
from pykamal.operations.hosts import lock
from pykamal.operations.images import registry
from pykamal.operations.proxy import lifecycle as proxy


async def remove(context: Context, *, keep_data: bool = False) -> None:
    """Remove everything from the selected hosts; the proxy stays where other applications use it.

    So do accessories that other destinations use, and with `keep_data` the data directories of all.
    """
    async with lock.held(context):
        users = await users_elsewhere(context)
        await app_removal.remove(context)
        await proxy.remove_unless_needed(context)
        for each in context.config.accessories:
            await _remove_accessory(context, each, users, keep_data=keep_data)
        if not context.config.registry.local:
            await registry.logout(context, skip_local=True)


async def _remove_accessory(context: Context, each: Accessory, users: Users, *, keep_data: bool) -> None:
    hosts = context.selection.hosts_of(each)
    for host in hosts:
        if (each.name, host) in users:
            context.bus.say(
                f"Not removing accessory {each.name} on {host}, another destination uses it: "
                f"{', '.join(users[each.name, host])} (kamal accessory remove {each.name} does)",
                Tone.WARNING,
            )
    own = [host for host in hosts if (each.name, host) not in users]
    if own:
        await accessory.remove(context.on(own), name=each.name, keep_data=keep_data)
