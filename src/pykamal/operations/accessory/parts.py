"""Single steps in an accessory's life, as hidden commands (spec/cli.md 12.3). Each takes one accessory, not `all`."""

from __future__ import annotations

from collections.abc import Iterable

from pykamal.commands.script import Step
from pykamal.config.models import Accessory
from pykamal.operations.accessory import lifecycle
from pykamal.operations.context import Context
from pykamal.operations.hosts import lock
from pykamal.operations.images import registry


async def upload(context: Context, *, name: str) -> None:
    """Bring its files to the hosts."""
    accessory = lifecycle.single(context, name)
    await _with_lock(context, accessory, "upload files", lifecycle.file_steps(context, accessory))


async def directories(context: Context, *, name: str) -> None:
    """Make its directories on the hosts."""
    accessory = lifecycle.single(context, name)
    await _with_lock(context, accessory, "make directories", lifecycle.directory_steps(accessory))


async def pull_image(context: Context, *, name: str) -> None:
    accessory = lifecycle.single(context, name)
    steps = (*registry.accessory_login_steps(context, accessory), *lifecycle.pull_steps(context, accessory))
    await _with_lock(context, accessory, "pull image", steps)


async def remove_container(context: Context, *, name: str) -> None:
    """Remove its containers that do not run."""
    accessory = lifecycle.single(context, name)
    await _with_lock(context, accessory, "remove container", lifecycle.remove_container_steps(context, accessory))


async def remove_image(context: Context, *, name: str) -> None:
    accessory = lifecycle.single(context, name)
    await _with_lock(context, accessory, "remove image", lifecycle.remove_image_steps(context, accessory))


async def remove_service_directory(context: Context, *, name: str) -> None:
    """Remove its files and the directories that are not mounted from elsewhere."""
    accessory = lifecycle.single(context, name)
    await _with_lock(context, accessory, "remove directory", lifecycle.remove_directory_steps(accessory))


async def _with_lock(context: Context, accessory: Accessory, title: str, steps: Iterable[Step]) -> None:
    async with lock.held(context):
        await lifecycle.on_hosts(context, accessory, f"{title} of {accessory.name}", tuple(steps))
