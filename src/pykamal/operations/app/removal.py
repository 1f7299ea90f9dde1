"""Removes the application from its hosts, whole or in parts (spec/cli.md 14.6)."""

from __future__ import annotations

from collections.abc import Iterable

from pykamal.commands import app as commands
from pykamal.commands import proxy, prune, secret_delivery, server
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_app
from pykamal.config.models import Role
from pykamal.core.errors import KamalError
from pykamal.operations.app import lifecycle
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import audit, lock
from pykamal.operations.hosts.facts import HostFacts


async def remove(context: Context) -> None:
    """Stop and remove the containers; images and directories where all roles of a host are selected."""
    async with lock.held(context):
        await lifecycle.stop(context, stale=True)
        await remove_containers(context)
        await _on_emptied_hosts(context, "remove images and files", (*_image_steps(context), *_file_steps(context)))


async def remove_containers(context: Context) -> None:
    """Remove the containers that do not run, of every selected role."""

    def steps(role: Role, _: HostFacts) -> Iterable[Step]:
        yield audit.step(context, "Removed all app containers", role)
        yield Step(f"remove containers of {role.name}", commands.remove_containers(context.config, role))

    await lifecycle.change(context, "app remove_containers", steps)


async def remove_container(context: Context, *, version: str) -> None:
    """Remove the stopped containers of one version. Raises `KamalError` before any is removed where one is missing."""

    def steps(role: Role, facts: HostFacts) -> Iterable[Step]:
        if not facts.has_container(role, version):
            name = role.container_name(version)
            raise KamalError(f"There is no container {name} on {facts.host}", host=facts.host, hint=LISTING)
        yield audit.step(context, f"Removed app container with version {version}", role)
        yield Step(f"remove {version} of {role.name}", commands.remove_container(role, version))

    await lifecycle.change(context, "app remove_container", steps)


async def remove_images(context: Context) -> None:
    await _on_emptied_hosts(context, "remove images", _image_steps(context))


async def remove_app_directories(context: Context) -> None:
    await _on_emptied_hosts(context, "remove files", _file_steps(context))


LISTING = "see `kamal app containers`"


def _image_steps(context: Context) -> tuple[Step, ...]:
    return audit.step(context, "Removed all app images"), Step("remove images", prune.all_images(context.config))


def _file_steps(context: Context) -> tuple[Step, ...]:
    config = context.config
    return (
        audit.step(context, f"Removed {config.app_directory}"),
        Step("remove secrets in memory", secret_delivery.remove_memory(config)),
        Step("remove app directory", server.remove_app_directory(config), of_app(Action.REMOVE)),
        Step("remove proxy files", proxy.remove_app_directory(config), of_app(Action.REMOVE)),
    )


async def _on_emptied_hosts(context: Context, title: str, steps: tuple[Step, ...]) -> None:
    """Under the lock, where all roles of a host are selected, so that nothing there needs the app's files any more."""
    hosts = [host for host in context.selection.app_hosts if _all_roles_selected(context, host)]
    others = [host for host in context.selection.app_hosts if host not in hosts]
    if others:
        context.bus.say(f"Not to {title} on {', '.join(others)}: roles that are not selected are there too")
    async with lock.held(context):
        tasks = tuple(Task(host, title, script(steps)) for host in hosts)
        await context.execute(Plan("app remove", (Phase(title, tasks),)))


def _all_roles_selected(context: Context, host: str) -> bool:
    configured = {role.name for role in context.config.roles if host in role.host_names}
    return configured == {role.name for role in context.selection.roles_on(host)}
