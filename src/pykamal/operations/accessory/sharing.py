"""Accessories that several destinations of a service use: their names on a host have no destination in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pykamal.commands import accessory as commands
from pykamal.commands import facts as fact_commands
from pykamal.config.models import Accessory
from pykamal.operations.context import Context
from pykamal.operations.hosts import facts
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.reading import capture

Users = dict[tuple[str, str], list[str]]
"""By name of the accessory and host: directories below .kamal/apps, or containers, of other destinations."""


async def users_elsewhere(context: Context) -> Users:
    """Name the other destinations that booted an accessory or run beside a container of that name."""
    config, hosts = context.config, context.selection.accessory_hosts
    read = await capture(
        context,
        hosts,
        lambda _: [
            ("read containers", fact_commands.containers()),
            ("read destinations", commands.environment_files(config)),
        ],
    )
    return {
        (name, host): each
        for host, (containers, files) in read.items()
        for name, each in users_on(context, facts.parse(host, [containers]), files.stdout.split()).items()
    }


def users_on(context: Context, facts: HostFacts, files: Sequence[str]) -> dict[str, list[str]]:
    """The same for one host, by name; `files` are those with secrets of accessories, of every destination."""
    users = {
        accessory.name: [*_booted_by(context, accessory, files), *_beside(context, accessory, facts)]
        for accessory in context.config.accessories
    }
    return {name: each for name, each in users.items() if each}


def _booted_by(context: Context, accessory: Accessory, files: Sequence[str]) -> Iterator[str]:
    """Files of other destinations. Which accessories one has whose secrets in memory are gone is not known."""
    own, suffixes = f"{context.config.env_directory}/", (f"/{accessory.name}.env", f"/{accessory.name}.env.age", "/env")
    yield from (file for file in files if file.endswith(suffixes) and not f"{file}/".startswith(own))


def _beside(context: Context, accessory: Accessory, facts: HostFacts) -> Iterator[str]:
    config = context.config
    if accessory.service != f"{config.service}-{accessory.name}":
        return  # a name that deploy.yml gives it may well be this destination's own
    for each in facts.containers:
        if each.service == config.service and each.role and each.destination != (config.destination or ""):
            yield each.name
