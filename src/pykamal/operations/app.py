"""The application's containers: boot, start, stop, look, remove (spec/cli.md 14.3 and 14.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pykamal.commands import app as commands
from pykamal.commands import files, proxy, server
from pykamal.commands.command import Command
from pykamal.commands.script import Step, script
from pykamal.config.models import Role
from pykamal.operations import audit, lock, planning
from pykamal.operations.boot_plan import boot_phases, stale_versions, tag_tasks
from pykamal.operations.context import Context
from pykamal.operations.executor import execute
from pykamal.operations.facts import HostFacts
from pykamal.operations.plan import Phase, Plan, Task
from pykamal.operations.reading import read_facts, show_on_hosts, under_lock


async def boot(context: Context) -> None:
    """Start a version that is on the hosts as an image: `--version`, else the latest tag."""
    if context.settings.version is None:
        context.bus.say("Get most recent version available as an image...")
        context.version_override = context.config.latest_tag
    version = context.version
    if context.settings.plan_only:
        planning.show(context, _boot_plan(context, await read_facts(context, context.targets.app_hosts), version))
        return
    async with under_lock(context) as fresh:
        known = await read_facts(context, context.targets.app_hosts, fresh)
        await execute(_boot_plan(context, known, version), context)


def _boot_plan(context: Context, known: Mapping[str, HostFacts], version: str) -> Plan:
    phases = [*boot_phases(context, known, version), Phase("tag", tag_tasks(context, version))]
    return Plan("app boot", tuple(phases))


async def start(context: Context) -> None:
    """Start the containers of the version in effect and give them the proxy's traffic."""
    version = context.version

    def steps(role: Role, _: HostFacts) -> Iterable[Step]:
        yield audit.step(context, f"Started app version {version}")
        yield Step(f"start {role.name}", commands.start(role, version).failing_allowed())
        if role.proxy is not None:
            yield Step(f"switch traffic to {role.name}", proxy.deploy_role(context.config, role, version))

    await _change(context, "app start", steps)


async def stop(context: Context) -> None:
    """Take the containers out of the proxy, then stop them."""
    await _change(context, "app stop", lambda role, known: _stop_steps(context, role, known))


def _stop_steps(context: Context, role: Role, known: HostFacts) -> Iterable[Step]:
    yield audit.step(context, "Stopped app", role)
    if role.running_proxy and known.current_version(role) is not None:
        yield Step(f"remove {role.name} from proxy", proxy.remove(role.container_prefix).failing_allowed())
    yield Step(f"stop {role.name}", commands.stop_current(context.config, role).failing_allowed())


async def live(context: Context) -> None:
    """End maintenance."""
    await _change(context, "app live", lambda role, _: _proxied(role, proxy.resume(role.container_prefix)))


async def maintenance(context: Context, *, drain_timeout: int | None = None, message: str | None = None) -> None:
    """Answer every request with the maintenance page; `drain_timeout` in seconds."""
    seconds = context.config.drain_timeout if drain_timeout is None else drain_timeout
    await _change(
        context,
        "app maintenance",
        lambda role, _: _proxied(role, proxy.stop(role.container_prefix, drain_timeout=seconds, message=message)),
    )


def _proxied(role: Role, command: Command) -> Iterable[Step]:
    if role.running_proxy:
        yield Step(f"tell proxy about {role.name}", command)


async def stale_containers(context: Context, *, stop: bool = False) -> None:
    """Name the running containers of versions that are not current; with `stop` also stop them."""
    if not stop:
        known = await read_facts(context, context.targets.app_hosts)
        for host in context.targets.app_hosts:
            for role in context.targets.roles_on(host):
                for version in stale_versions(known[host], role):
                    context.bus.say(
                        f"{host}: Detected stale container for role {role.name} with version {version} "
                        "(use `kamal app stale_containers --stop` to stop)"
                    )
        return

    def steps(role: Role, known: HostFacts) -> Iterable[Step]:
        for version in stale_versions(known, role):
            context.bus.say(f"{known.host}: Stopping stale container for role {role.name} with version {version}")
            yield Step(f"stop stale {version}", commands.stop_known(role, version))

    await _change(context, "app stale_containers", steps)


async def remove(context: Context) -> None:
    """Stop and remove the containers; images and directories where all roles of a host are selected."""
    config = context.config

    def steps(role: Role, _: HostFacts) -> Iterable[Step]:
        yield audit.step(context, "Removed all app containers", role)
        yield Step(f"remove containers of {role.name}", commands.remove_containers(config, role))

    async with lock.held(context):
        await stop(context)
        await _change(context, "app remove", steps)
        hosts = [host for host in context.targets.app_hosts if _all_roles_selected(context, host)]
        ending = script(
            audit.step(context, "Removed all app images"),
            Step("remove images", commands.remove_images(config)),
            audit.step(context, f"Removed {config.app_directory}"),
            Step("remove app directory", server.remove_app_directory(config)),
            Step(
                "remove proxy files",
                files.remove(f".kamal/proxy/apps-config/{config.service_with_destination}", recursive=True)
                .redirected("2> /dev/null")
                .failing_allowed(),
            ),
        )
        tasks = tuple(Task(host, "remove images and files", ending) for host in hosts)
        await execute(Plan("app remove", (Phase("remove images and files", tasks),)), context)


def _all_roles_selected(context: Context, host: str) -> bool:
    configured = {role.name for role in context.config.roles if host in role.host_names}
    return configured == {role.name for role in context.targets.roles_on(host)}


async def _change(context: Context, name: str, steps_of: Callable[[Role, HostFacts], Iterable[Step]]) -> None:
    """Under the lock, run a role's steps on each of its hosts."""
    async with lock.held(context):
        known = await read_facts(context, context.targets.app_hosts)
        tasks = tuple(
            Task(host, name, script(steps), branch=role.name if context.config.boot.parallel_roles else None)
            for host in context.targets.app_hosts
            for role in context.targets.roles_on(host)
            for steps in [tuple(steps_of(role, known[host]))]
            if steps
        )
        await execute(Plan(name, (Phase(name, tasks),)), context)


# -- looking


async def details(context: Context) -> None:
    await show_on_hosts(
        context,
        context.targets.app_hosts,
        lambda host: [commands.details(context.config, role) for role in context.targets.roles_on(host)],
    )


async def containers(context: Context) -> None:
    await show_on_hosts(context, context.targets.app_hosts, lambda _: commands.list_containers(context.config))


async def images(context: Context) -> None:
    await show_on_hosts(context, context.targets.app_hosts, lambda _: commands.list_images(context.config))


async def version(context: Context) -> None:
    """The running version on each host, of the first selected role on it."""
    await show_on_hosts(
        context,
        context.targets.app_hosts,
        lambda host: [commands.current_version(context.config, role) for role in context.targets.roles_on(host)[:1]],
    )
