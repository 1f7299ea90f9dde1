"""Single steps in an accessory's life, as hidden commands (spec/cli.md 12.3). Each takes one accessory, not `all`."""

from __future__ import annotations

from collections.abc import Iterable

from pykamal.commands.script import Step
from pykamal.config.models import Accessory
from pykamal.operations import accessory as flows
from pykamal.operations import lock, registry
from pykamal.operations.context import Context


async def upload(context: Context, *, name: str) -> None:
    """Bring its files to the hosts."""
    accessory = flows.single(context, name)
    await _under_lock(context, accessory, "upload files", flows.file_steps(context, accessory))


async def directories(context: Context, *, name: str) -> None:
    """Make its directories on the hosts."""
    accessory = flows.single(context, name)
    await _under_lock(context, accessory, "make directories", flows.directory_steps(accessory))


async def pull_image(context: Context, *, name: str) -> None:
    accessory = flows.single(context, name)
    steps = (*registry.login_steps(context, accessory.registry), *flows.pull_steps(context, accessory))
    await _under_lock(context, accessory, "pull image", steps)


async def remove_container(context: Context, *, name: str) -> None:
    """Remove its containers that do not run."""
    accessory = flows.single(context, name)
    await _under_lock(context, accessory, "remove container", flows.remove_container_steps(context, accessory))


async def remove_image(context: Context, *, name: str) -> None:
    accessory = flows.single(context, name)
    await _under_lock(context, accessory, "remove image", flows.remove_image_steps(context, accessory))


async def remove_service_directory(context: Context, *, name: str) -> None:
    """Remove its files and the directories that are not mounted from elsewhere."""
    accessory = flows.single(context, name)
    await _under_lock(context, accessory, "remove directory", flows.remove_directory_steps(accessory))


async def _under_lock(context: Context, accessory: Accessory, title: str, steps: Iterable[Step]) -> None:
    async with lock.held(context):
        await flows.on_hosts(context, accessory, f"{title} of {accessory.name}", tuple(steps))
