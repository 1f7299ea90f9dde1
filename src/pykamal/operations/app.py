"""The application's containers: boot, start, stop, look, run something in them (spec/cli.md 14.3 to 14.6)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence

from pykamal.commands import app as commands
from pykamal.commands import files, proxy, server
from pykamal.commands.command import Command
from pykamal.commands.script import Step, script
from pykamal.config.models import Role
from pykamal.core.errors import KamalError, UsageError
from pykamal.operations import audit, lock, planning, registry
from pykamal.operations.boot_plan import boot_phases, stale_versions, tag_tasks
from pykamal.operations.context import Context
from pykamal.operations.executor import execute
from pykamal.operations.facts import HostFacts
from pykamal.operations.plan import Phase, Plan, Task
from pykamal.operations.reading import log_lines, read_facts, run_on, show_on_hosts, under_lock
from pykamal.operations.terminal import interactive_flags


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


async def logs(
    context: Context,
    *,
    since: str | None = None,
    lines: int | None = None,
    grep: str | None = None,
    grep_options: str | None = None,
    timestamps: bool = True,
    container_id: str | None = None,
) -> None:
    """Log lines of every role and host; `Nothing found` where there are none."""
    shown = log_lines(lines, since=since, grep=grep)

    def commands_for(host: str) -> Sequence[Command]:
        return [
            commands.logs(
                context.config,
                role,
                container_id=container_id,
                since=since,
                lines=shown,
                grep=grep,
                grep_options=grep_options,
                timestamps=timestamps,
            )
            for role in context.targets.roles_on(host)
        ]

    await show_on_hosts(context, context.targets.app_hosts, commands_for, otherwise="Nothing found")


def following(
    context: Context,
    *,
    since: str | None = None,
    lines: int | None = None,
    grep: str | None = None,
    grep_options: str | None = None,
    timestamps: bool = True,
    container_id: str | None = None,
) -> tuple[str, Command]:
    """The host and the command to follow in a terminal: the primary role, or the first one asked for."""
    host = context.targets.primary_host
    role = context.targets.primary_role
    if host is None or role is None:
        raise KamalError("No host to follow logs on", hint="check --hosts and --roles")
    shown = log_lines(lines, since=since, grep=grep, default=10)
    command = commands.logs(
        context.config,
        role,
        container_id=container_id,
        since=since,
        lines=shown,
        grep=grep,
        grep_options=grep_options,
        timestamps=timestamps,
        follow=True,
    )
    return host, command


# -- running something in a container


async def exec_(
    context: Context,
    *,
    command: str,
    reuse: bool = False,
    env: Mapping[str, str] | None = None,
    detach: bool = False,
    raw: bool = False,
) -> None:
    """Run a command line in a new container of the image, or with `reuse` in the running one."""
    if not command.strip():
        raise UsageError("No command provided. You must specify a command to execute.")
    if reuse:
        await _exec_existing(context, command, env=env or {}, raw=raw)
    else:
        await _exec_new(context, command, env=env or {}, detach=detach, raw=raw)


async def _exec_existing(context: Context, command: str, *, env: Mapping[str, str], raw: bool) -> None:
    context.bus.say("Get current version of running container...")
    current = await _current_version(context)
    context.bus.say(f"Launching command with version {current} from existing container...")

    def commands_for(host: str) -> Sequence[Command]:
        return [commands.exec_existing(role, current, command, env=env) for role in context.targets.roles_on(host)]

    await _note(context, f"Executed cmd '{command}' on app version {current}", by_role=True)
    await show_on_hosts(context, context.targets.app_hosts, commands_for, raw=raw)


async def _exec_new(context: Context, command: str, *, env: Mapping[str, str], detach: bool, raw: bool) -> None:
    wanted = _image_version(context)
    context.bus.say(f"Launching command with version {wanted} from new container...")
    await _note(context, f"Executed cmd '{command}' on app version {wanted}", by_role=False, log_in=True)

    def commands_for(host: str) -> Sequence[Command]:
        return [
            commands.exec_new(context.config, role, host, wanted, command, suffix=_suffix(), env=env, detach=detach)
            for role in context.targets.roles_on(host)
        ]

    await show_on_hosts(context, context.targets.app_hosts, commands_for, raw=raw)


async def interactive(
    context: Context, *, command: str, reuse: bool = False, env: Mapping[str, str] | None = None
) -> tuple[str, Command]:
    """The host and the command to run in the operator's terminal, on the primary host."""
    if not command.strip():
        raise UsageError("No command provided. You must specify a command to execute.")
    host, role = context.targets.primary_host, context.targets.primary_role
    if host is None or role is None:
        raise KamalError("No host to run on", hint="check --hosts and --roles")
    terminal = interactive_flags()
    place = "existing" if reuse else "new"
    if reuse:
        context.bus.say("Get current version of running container...")
        wanted = await _current_version(context)
        line = commands.exec_existing(role, wanted, command, env=env or {}, interactive=terminal)
    else:
        wanted = _image_version(context)
        if logins := registry.login_steps(context):
            await run_on(context, host, script(logins))
        line = commands.exec_new(
            context.config, role, host, wanted, command, suffix=_suffix(), env=env or {}, interactive=terminal
        )
    context.bus.say(f"Launching interactive command with version {wanted} via SSH from {place} container on {host}...")
    return host, line


def _image_version(context: Context) -> str:
    if context.settings.version is not None:
        return context.settings.version
    context.bus.say("Get most recent version available as an image...")
    return context.config.latest_tag


async def _current_version(context: Context) -> str:
    host, role = context.targets.primary_host, context.targets.primary_role
    if host is None or role is None:
        raise KamalError("No host to run on", hint="check --hosts and --roles")
    known = await read_facts(context, [host])
    return known[host].current_version(role) or context.version


async def _note(context: Context, message: str, *, by_role: bool, log_in: bool = False) -> None:
    logins = registry.login_steps(context) if log_in else ()
    tasks = tuple(
        Task(
            host,
            "audit",
            script(logins, *(audit.step(context, message, role if by_role else None) for role in roles)),
        )
        for host in context.targets.app_hosts
        for roles in [context.targets.roles_on(host)]
        if roles
    )
    await execute(Plan("app exec", (Phase("audit", tasks),)), context)


def _suffix() -> str:
    return secrets.token_hex(3)
