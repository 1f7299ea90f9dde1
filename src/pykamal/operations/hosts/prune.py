"""Removes what old deploys left behind (spec/cli.md 14.10)."""

from __future__ import annotations

from pykamal.commands import prune as commands
from pykamal.commands import secret_delivery
from pykamal.commands.script import Step, script
from pykamal.core.errors import KamalError
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import audit, lock


def container_steps(context: Context, retain: int | None = None) -> tuple[Step, ...]:
    """Keep the newest `retain` stopped containers of the service."""
    keep = context.config.retain_containers if retain is None else retain
    return (
        audit.step(context, "Pruned containers"),
        Step("prune containers", commands.containers(context.config, keep)),
    )


def image_steps(context: Context) -> tuple[Step, ...]:
    return (
        audit.step(context, "Pruned images"),
        Step("prune dangling images", commands.dangling_images(context.config)),
        Step("prune tagged images", commands.tagged_images(context.config)),
    )


def env_file_step(context: Context, host: str) -> Step:
    """Remove env files of what is neither on a host any more nor to come there."""
    return Step("prune env files", secret_delivery.prune(context.config, host))


def tasks(context: Context) -> tuple[Task, ...]:
    """Containers, images, then env files, on every selected host."""
    steps = (*container_steps(context), *image_steps(context))
    return tuple(Task(host, "prune", script(steps, env_file_step(context, host))) for host in context.selection.hosts)


async def prune_all(context: Context) -> None:
    async with lock.held(context):
        await context.execute(Plan("prune", (Phase("prune", tasks(context)),)))


async def prune_containers(context: Context, *, retain: int | None = None) -> None:
    """Keep the newest `retain` stopped containers of the service. Raises `KamalError` where that is less than one."""
    if retain is not None and retain < 1:
        raise KamalError("retain must be at least 1")
    await _with_lock(context, "prune containers", container_steps(context, retain))


async def prune_images(context: Context) -> None:
    await _with_lock(context, "prune images", image_steps(context))


async def _with_lock(context: Context, name: str, steps: tuple[Step, ...]) -> None:
    async with lock.held(context):
        each = tuple(Task(host, name, script(steps)) for host in context.selection.hosts)
        await context.execute(Plan(name, (Phase(name, each),)))
