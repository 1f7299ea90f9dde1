"""Accessories: databases, caches and other services beside the application (spec/cli.md 14.8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pykamal.commands import accessory as commands
from pykamal.commands import docker, files, proxy
from pykamal.commands.command import Command
from pykamal.commands.script import Step, script
from pykamal.config.models import Accessory
from pykamal.core.errors import KamalError, UsageError
from pykamal.events import Tone
from pykamal.operations import audit, lock, registry
from pykamal.operations.accessory_files import content
from pykamal.operations.context import Context
from pykamal.operations.executor import execute
from pykamal.operations.local_outside import LocalOutside
from pykamal.operations.plan import Phase, Plan, Task
from pykamal.operations.reading import capture, log_lines, show_on_hosts
from pykamal.operations.secret_env import secret_env
from pykamal.operations.terminal import interactive_flags


def named(context: Context, name: str) -> tuple[Accessory, ...]:
    """The accessory of that name, or every one for `all`. Raises `KamalError` for an unknown name."""
    if name == "all":
        return context.config.accessories
    found = context.config.accessory(name)
    if found is None:
        names = [accessory.name for accessory in context.config.accessories]
        options = f" (options: {_listed(names)})" if names else ""
        raise KamalError(f"No accessory by the name of '{name}'{options}")
    return (found,)


def _listed(names: Sequence[str]) -> str:
    if len(names) <= 2:
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"


async def boot_all(context: Context) -> None:
    for accessory in context.config.accessories:
        await _boot(context, accessory)


async def boot(context: Context, *, name: str) -> None:
    """Start the accessory where it has no container yet; its files and directories are brought everywhere."""
    accessories = named(context, name)
    async with lock.held(context):
        for accessory in accessories:
            await _boot(context, accessory)


def _require_all(context: Context, accessories: Iterable[Accessory]) -> None:
    """Read every secret and file that the new containers need. Raises `KamalError` while the old ones still run."""
    for accessory in accessories:
        for host in context.targets.hosts_of(accessory):
            script(_file_steps(context, accessory), _start_steps(context, accessory, host))


async def _boot(context: Context, accessory: Accessory, *, prepared: bool = False) -> None:
    await execute(await boot_plan(context, accessory, prepared=prepared), context)


async def boot_plan(context: Context, accessory: Accessory, *, prepared: bool = False) -> Plan:
    """What booting takes; `prepared` hosts are logged in and have the network already."""
    hosts = context.targets.hosts_of(accessory)
    found = await capture(context, hosts, lambda _: [("find container", commands.existing(accessory))])
    present = [host for host in hosts if found[host][-1].captured]
    if present:
        context.bus.say(
            f"Skipping booting `{accessory.name}` on {', '.join(present)}, a container already exists", Tone.WARNING
        )
    tasks = tuple(
        Task(
            host,
            f"boot {accessory.name}",
            script(
                () if prepared else _login_and_network(context, accessory),
                _directory_steps(accessory),
                _file_steps(context, accessory),
                () if host in present else _start_steps(context, accessory, host),
            ),
        )
        for host in hosts
    )
    return Plan("accessory boot", (Phase(f"boot {accessory.name}", tasks),))


def _login_and_network(context: Context, accessory: Accessory) -> Iterable[Step]:
    return (
        *registry.login_steps(context, accessory.registry),
        Step("ensure network", docker.create_network()),
    )


def _directory_steps(accessory: Accessory) -> Iterator[Step]:
    for command in commands.make_directories(accessory):
        yield Step(f"prepare directory of {accessory.name}", command)


def _file_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    for file in accessory.files:
        text = content(accessory, file, context.secrets, LocalOutside())
        yield Step("make directory", commands.make_file_directory(accessory, file))
        yield Step(f"upload {file.local}", files.write(commands.file_path(accessory, file), text, "0600"))
        for command in commands.file_permissions(accessory, file):
            yield Step(f"permissions of {file.remote}", command)


def _start_steps(context: Context, accessory: Accessory, host: str) -> Iterator[Step]:
    config = context.config
    yield audit.step(context, f"Booted {accessory.name} accessory")
    yield Step("make environment directory", commands.make_env_directory(config))
    yield Step(
        "write environment",
        files.write(config.accessory_env_file(accessory), secret_env(context, accessory.env), "0600"),
    )
    yield Step(f"run {accessory.name}", commands.run(config, accessory, host))
    yield from _switch_steps(context, accessory)


def _switch_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    if accessory.running_proxy:
        command = proxy.deploy_accessory(context.config, accessory, context.version)
        yield Step(f"switch traffic to {accessory.name}", command)


async def reboot(context: Context, *, name: str) -> None:
    """Pull the image, remove the container and start a new one."""
    accessories = named(context, name)
    _require_all(context, accessories)
    async with lock.held(context):
        for accessory in accessories:
            steps = script(
                _login_and_network(context, accessory),
                audit.step(context, f"Pull {accessory.name} accessory image"),
                Step(f"pull {accessory.image}", commands.pull_image(accessory)),
                _stop_steps(context, accessory),
                _remove_container_steps(context, accessory),
            )
            await _on_hosts(context, accessory, f"stop {accessory.name}", steps.steps)
            await _boot(context, accessory, prepared=True)


async def start(context: Context, *, name: str) -> None:
    accessories = named(context, name)
    async with lock.held(context):
        for accessory in accessories:
            steps = (
                audit.step(context, f"Started {accessory.name} accessory"),
                Step(f"start {accessory.name}", commands.start(accessory)),
                *_switch_steps(context, accessory),
            )
            await _on_hosts(context, accessory, f"start {accessory.name}", steps)


async def stop(context: Context, *, name: str) -> None:
    accessories = named(context, name)
    async with lock.held(context):
        for accessory in accessories:
            await _on_hosts(context, accessory, f"stop {accessory.name}", tuple(_stop_steps(context, accessory)))


def _stop_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    yield audit.step(context, f"Stopped {accessory.name} accessory")
    yield Step(f"stop {accessory.name}", commands.stop(accessory))
    if accessory.running_proxy:
        yield Step(f"remove {accessory.name} from proxy", proxy.remove(accessory.service))


async def restart(context: Context, *, name: str) -> None:
    async with lock.held(context):
        await stop(context, name=name)
        await start(context, name=name)


async def remove(context: Context, *, name: str) -> None:
    """Stop it and remove container, image and its directory on the hosts."""
    accessories = named(context, name)
    async with lock.held(context):
        for accessory in accessories:
            steps = (
                *_stop_steps(context, accessory),
                *_remove_container_steps(context, accessory),
                audit.step(context, f"Removed {accessory.name} accessory image"),
                Step("remove image", commands.remove_image(accessory)),
                Step("remove directory", commands.remove_directory(accessory)),
            )
            await _on_hosts(context, accessory, f"remove {accessory.name}", steps)


def _remove_container_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    yield audit.step(context, f"Remove {accessory.name} accessory container")
    yield Step("remove container", commands.remove_containers(accessory))


async def _on_hosts(context: Context, accessory: Accessory, title: str, steps: Sequence[Step]) -> None:
    tasks = tuple(Task(host, title, script(steps)) for host in context.targets.hosts_of(accessory))
    await execute(Plan(f"accessory {title}", (Phase(title, tasks),)), context)


# -- looking, and running something in it


async def details(context: Context, *, name: str) -> None:
    for accessory in named(context, name):
        await show_on_hosts(
            context,
            context.targets.hosts_of(accessory),
            lambda _, accessory=accessory: commands.details(accessory),  # type: ignore[misc]
            kind=f"Accessory {accessory.name}",
        )


async def logs(
    context: Context,
    *,
    name: str,
    since: str | None = None,
    lines: int | None = None,
    grep: str | None = None,
    grep_options: str | None = None,
    timestamps: bool = True,
) -> None:
    (accessory,) = named(context, name)
    shown = log_lines(lines, since=since, grep=grep)
    command = commands.logs(
        accessory, since=since, lines=shown, grep=grep, grep_options=grep_options, timestamps=timestamps
    )
    await show_on_hosts(context, context.targets.hosts_of(accessory), lambda _: command, kind=None)


def following(
    context: Context,
    *,
    name: str,
    lines: int | None = None,
    since: str | None = None,
    grep: str | None = None,
    grep_options: str | None = None,
    timestamps: bool = True,
) -> tuple[str, Command]:
    """The host and the command to follow in a terminal."""
    (accessory,) = named(context, name)
    return _first_host(accessory), commands.logs(
        accessory,
        since=since,
        lines=lines,
        grep=grep,
        grep_options=grep_options,
        timestamps=timestamps,
        follow=True,
    )


async def exec_(context: Context, *, name: str, command: str, reuse: bool = False, raw: bool = False) -> None:
    """Run a command line in a new container of the accessory's image, or with `reuse` in the running one."""
    (accessory,) = named(context, name)
    if not command.strip():
        raise UsageError("No command provided. You must specify a command to execute.")
    place = "existing" if reuse else "new"
    context.bus.say(f"Launching command from {place} container...")
    note = audit.step(context, f"Executed cmd '{command}' on {accessory.name} accessory")
    logins = () if reuse else registry.login_steps(context, accessory.registry)
    await _on_hosts(context, accessory, f"note exec on {accessory.name}", (*logins, note))
    line = _exec_line(context, accessory, command, reuse=reuse)
    await show_on_hosts(context, context.targets.hosts_of(accessory), lambda _: line, raw=raw)


def interactive(context: Context, *, name: str, command: str, reuse: bool = False) -> tuple[str, Command]:
    """The host and the command to run in the operator's terminal."""
    (accessory,) = named(context, name)
    terminal = interactive_flags()
    context.bus.say(f"Launching interactive command via SSH from {'existing' if reuse else 'new'} container...")
    if reuse:
        return _first_host(accessory), commands.exec_existing(accessory, command, interactive=terminal)
    return _first_host(accessory), commands.exec_new(context.config, accessory, command, interactive=terminal)


def _exec_line(context: Context, accessory: Accessory, command: str, *, reuse: bool) -> Command:
    if reuse:
        return commands.exec_existing(accessory, command)
    return commands.exec_new(context.config, accessory, command)


def _first_host(accessory: Accessory) -> str:
    if not accessory.hosts:
        raise KamalError(f"Accessory {accessory.name} has no hosts")
    return accessory.hosts[0]
