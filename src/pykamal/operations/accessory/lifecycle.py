"""Accessories: databases, caches and other services beside the application (spec/cli.md 14.8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pykamal.commands import accessory as commands
from pykamal.commands import docker, health, host_files, proxy, secret_delivery
from pykamal.commands.script import Script, Step, script
from pykamal.commands.subject import Action, of_accessory
from pykamal.config.models import Accessory, File
from pykamal.core.errors import KamalError
from pykamal.events import Tone
from pykamal.operations.accessory.file_contents import content
from pykamal.operations.context import Context
from pykamal.operations.execution import evidence
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import audit, lock
from pykamal.operations.hosts.reading import read_facts, show_on_hosts
from pykamal.operations.hosts.secret_env import accessory_env_steps
from pykamal.operations.images import registry
from pykamal.operations.local.local_system import LocalSystem
from pykamal.operations.proxy.conflicts import refuse_conflicts
from pykamal.operations.proxy.site_files import error_page_steps


def named(context: Context, name: str) -> tuple[Accessory, ...]:
    """The accessory of that name, or every one for `all`. Raises `KamalError` for an unknown name."""
    return context.config.accessories if name == "all" else (single(context, name),)


def single(context: Context, name: str) -> Accessory:
    """The accessory of that name, for commands that `all` is no name for.

    Raises `KamalError` for an unknown one, and for one that is on no selected host.
    """
    accessory = context.config.accessory(name)
    if accessory is None:
        names = _names(context)
        options = f" (options: {names})" if names else ""
        raise KamalError(f"No accessory by the name of '{name}'{options}")
    if not context.selection.hosts_of(accessory):
        hosts = ", ".join(accessory.hosts)
        raise KamalError(
            f"No host of accessory {name} is selected",
            hint=f"it is on {hosts}: check --hosts and --roles" if hosts else "give it a host in deploy.yml",
        )
    return accessory


def _names(context: Context) -> str:
    return _listed([accessory.name for accessory in context.config.accessories])


def _listed(names: Sequence[str]) -> str:
    if len(names) <= 2:
        return " and ".join(names)
    return f"{', '.join(names[:-1])}, and {names[-1]}"


async def boot_all(context: Context, accessories: Iterable[Accessory]) -> None:
    await context.execute(await boot_plan(context, accessories))


async def boot(context: Context, *, name: str) -> None:
    """Start the accessory where it has no container yet; its files and directories are brought everywhere."""
    accessories = named(context, name)
    async with lock.held(context):
        await boot_all(context, accessories)


def _require_all(context: Context, accessories: Iterable[Accessory]) -> None:
    """Read every secret and file that the new containers need. Raises `KamalError` while the old ones still run."""
    for accessory in accessories:
        for host in context.selection.hosts_of(accessory):
            script(file_steps(context, accessory), _start_steps(context, accessory, host))


async def boot_plan(context: Context, accessories: Iterable[Accessory], *, prepared: bool = False) -> Plan:
    """Boot one accessory after the other, then see all of them stay up: the new containers, and those that run already.

    `prepared` hosts are logged in and have the network already.
    """
    booting, watching = Plan("accessory boot", ()), Plan("accessory boot", ())
    for accessory in accessories:
        hosts = context.selection.hosts_of(accessory)
        present = await _present(context, accessory, hosts)
        tasks = tuple(
            Task(
                host,
                f"boot {accessory.name}",
                script(
                    () if prepared else _login_and_network(context, accessory),
                    directory_steps(accessory),
                    file_steps(context, accessory),
                    () if host in present else _start_steps(context, accessory, host),
                ),
                evidence=_evidence(accessory),
            )
            for host in hosts
        )
        booting += Plan("accessory boot", (Phase(f"boot {accessory.name}", tasks),))
        watched = {host: host not in present for host in hosts if present.get(host, True)}
        watching += watch_plan(context, accessory, watched)
    return booting + watching.merged("watch accessories")


async def _present(context: Context, accessory: Accessory, hosts: Sequence[str]) -> dict[str, bool]:
    """The hosts that have its container, with whether it runs: it may have been stopped on purpose."""
    facts = await read_facts(context, hosts, proxy=accessory.running_proxy)
    refuse_conflicts(context, facts, accessories=[accessory], roles=False)
    own = {host: [each for each in facts[host].containers if each.service == accessory.service] for host in hosts}
    present = {host: any(each.running for each in containers) for host, containers in own.items() if containers}
    if present:
        context.bus.say(
            f"Skipping booting `{accessory.name}` on {', '.join(present)}, a container already exists", Tone.WARNING
        )
    for host in (host for host, runs in present.items() if not runs):
        text = f"`{accessory.name}` does not run on {host}, its container is {own[host][0].state}"
        context.bus.say(f"{text}: see kamal accessory logs, start, reboot", Tone.WARNING)
    return present


def _login_and_network(context: Context, accessory: Accessory) -> Iterable[Step]:
    return (
        *registry.accessory_login_steps(context, accessory),
        Step("ensure network", docker.create_network()),
    )


def directory_steps(accessory: Accessory) -> Iterator[Step]:
    for command in commands.make_directories(accessory):
        yield Step(f"prepare directory of {accessory.name}", command)


def file_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    for file in accessory.files:
        uploaded = content(accessory, file, context.secrets, LocalSystem())
        yield Step("make directory", commands.make_file_directory(accessory, file))
        if uploaded.holds_secrets:
            yield Step("close directory", commands.close_directory(accessory))
        yield Step(f"upload {file.local}", host_files.write(commands.file_path(accessory, file), uploaded.data, "0600"))
        log = _about_mode(accessory, file) if uploaded.holds_secrets and file.mode is None else None
        for command in commands.file_permissions(accessory, file, holds_secrets=uploaded.holds_secrets):
            yield Step(f"permissions of {file.remote}", command, log=log)
            log = None


def _about_mode(accessory: Accessory, file: File) -> str:
    return (
        f"{file.local} holds secrets, so only its owner and root may read it; for a container that reads it as another "
        f"user set its mode or owner in accessories/{accessory.name}/files"
    )


def _start_steps(context: Context, accessory: Accessory, host: str) -> Iterator[Step]:
    config = context.config
    yield audit.step(context, f"Booted {accessory.name} accessory")
    yield from accessory_env_steps(context, accessory)
    yield Step(f"run {accessory.name}", commands.run(config, accessory, host), of_accessory(Action.RUN, accessory))
    yield from switch_steps(context, accessory)


def switch_steps(context: Context, accessory: Accessory, *, new: bool = True) -> Iterator[Step]:
    """Give the proxy's traffic to the accessory, where it stands behind the proxy."""
    if accessory.running_proxy:
        yield from error_page_steps(context.config, context.version)  # those of this version may not be there yet
        command = proxy.deploy_accessory(context.config, accessory, context.version, new=new)
        subject = of_accessory(Action.SWITCH, accessory, deploy_timeout=context.config.deploy_timeout)
        yield Step(f"switch traffic to {accessory.name}", command, subject)


def watch_plan(context: Context, accessory: Accessory, hosts: Mapping[str, bool]) -> Plan:
    """See that its containers stay up, on hosts with whether the container is new; beside other accessories'."""
    timeout = context.config.deploy_timeout
    subject = of_accessory(Action.WAIT, accessory, deploy_timeout=timeout)
    tasks = tuple(
        Task(
            host,
            f"watch {accessory.name}",
            script(Step(f"wait for {accessory.name}", waiting, subject)),
            evidence=_evidence(accessory),
            branch=accessory.name,
        )
        for host, new in hosts.items()
        for waiting in [health.wait_steady(accessory.service, deploy_timeout=timeout, new=new)]
    )
    return Plan("accessory boot", (Phase(f"watch {accessory.name}", tasks),))


def _evidence(accessory: Accessory) -> Script:
    return evidence.of_container(accessory.service, accessory.proxy)


async def _refuse_conflicts(context: Context, accessories: Iterable[Accessory]) -> None:
    """Ask those proxies that are going to be told of an accessory. Raises `KamalError`."""
    proxied = [accessory for accessory in accessories if accessory.running_proxy]
    hosts = [host for accessory in proxied for host in context.selection.hosts_of(accessory)]
    if hosts:
        refuse_conflicts(context, await read_facts(context, hosts, proxy=True), accessories=proxied, roles=False)


async def reboot(context: Context, *, name: str) -> None:
    """Pull the image, remove the container and start a new one."""
    accessories = named(context, name)
    _require_all(context, accessories)
    async with lock.held(context):
        await _refuse_conflicts(context, accessories)
        for accessory in accessories:
            steps = script(
                _login_and_network(context, accessory),
                pull_steps(context, accessory),
                _stop_steps(context, accessory),
                remove_container_steps(context, accessory),
            )
            await on_hosts(context, accessory, f"stop {accessory.name}", steps.steps)
            await context.execute(await boot_plan(context, [accessory], prepared=True))


async def start(context: Context, *, name: str) -> None:
    accessories = named(context, name)
    async with lock.held(context):
        await _refuse_conflicts(context, accessories)
        for accessory in accessories:
            steps = (
                audit.step(context, f"Started {accessory.name} accessory"),
                Step(f"start {accessory.name}", commands.start(accessory), of_accessory(Action.START, accessory)),
                *switch_steps(context, accessory, new=False),
            )
            await on_hosts(context, accessory, f"start {accessory.name}", steps)
        watching = Plan("accessory start", ())
        for accessory in accessories:
            watching += watch_plan(context, accessory, dict.fromkeys(context.selection.hosts_of(accessory), False))
        await context.execute(watching.merged("watch accessories"))


async def stop(context: Context, *, name: str) -> None:
    accessories = named(context, name)
    async with lock.held(context):
        for accessory in accessories:
            await on_hosts(context, accessory, f"stop {accessory.name}", tuple(_stop_steps(context, accessory)))


def _stop_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    yield audit.step(context, f"Stopped {accessory.name} accessory")
    yield Step(f"stop {accessory.name}", commands.stop(accessory), of_accessory(Action.STOP, accessory))
    if accessory.running_proxy:
        removed = proxy.remove(accessory.service)
        yield Step(f"remove {accessory.name} from proxy", removed, of_accessory(Action.REMOVE, accessory))


async def restart(context: Context, *, name: str) -> None:
    async with lock.held(context):
        await stop(context, name=name)
        await start(context, name=name)


async def remove(context: Context, *, name: str, keep_data: bool = False) -> None:
    """Stop it and remove container, image and, unless told to keep it, its directory on the hosts."""
    accessories = named(context, name)
    async with lock.held(context):
        for accessory in accessories:
            steps = (
                *_stop_steps(context, accessory),
                *remove_container_steps(context, accessory),
                *remove_image_steps(context, accessory),
                *(() if keep_data else remove_directory_steps(accessory)),
                Step("remove environment", secret_delivery.remove(context.config.accessory_env_file(accessory))),
            )
            await on_hosts(context, accessory, f"remove {accessory.name}", steps)


async def upgrade(context: Context, *, name: str, rolling: bool = False) -> None:
    """Reboot on all hosts of the accessory at once, or on one after the other (spec/cli.md 13.7)."""
    hosts = tuple(dict.fromkeys(host for each in named(context, name) for host in context.selection.hosts_of(each)))
    async with lock.held(context):
        for group in [(host,) for host in hosts] if rolling else [hosts]:
            names = ",".join(group)
            context.bus.say(f"Upgrading {name} accessories on {names}...")
            await reboot(context.on(group), name=name)
            context.bus.say(f"Upgraded {name} accessories on {names}...")


def pull_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    yield audit.step(context, f"Pull {accessory.name} accessory image")
    yield Step(f"pull {accessory.image}", commands.pull_image(accessory), of_accessory(Action.PULL, accessory))


def remove_container_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    yield audit.step(context, f"Remove {accessory.name} accessory container")
    removed = of_accessory(Action.REMOVE_CONTAINER, accessory)
    yield Step("remove container", commands.remove_containers(accessory), removed)


def remove_image_steps(context: Context, accessory: Accessory) -> Iterator[Step]:
    yield audit.step(context, f"Removed {accessory.name} accessory image")
    yield Step("remove image", commands.remove_image(accessory))


def remove_directory_steps(accessory: Accessory) -> Iterator[Step]:
    yield Step("remove directory", commands.remove_directory(accessory))


async def on_hosts(context: Context, accessory: Accessory, title: str, steps: Sequence[Step]) -> None:
    hosts, explanation = context.selection.hosts_of(accessory), _evidence(accessory)
    tasks = tuple(Task(host, title, script(steps), evidence=explanation) for host in hosts)
    await context.execute(Plan(f"accessory {title}", (Phase(title, tasks),)))


# -- looking


async def details(context: Context, *, name: str) -> None:
    for accessory in named(context, name):
        await details_of(context, accessory)


async def details_of(context: Context, accessory: Accessory) -> None:
    hosts, command = context.selection.hosts_of(accessory), commands.details(accessory)
    await show_on_hosts(context, hosts, lambda _: command, kind=f"Accessory {accessory.name}")
