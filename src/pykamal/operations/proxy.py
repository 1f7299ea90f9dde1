"""The proxy on the hosts (spec/cli.md 14.7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pykamal.commands import proxy as commands
from pykamal.commands import server
from pykamal.commands.command import Command
from pykamal.commands.script import Step, script
from pykamal.core.errors import KamalError
from pykamal.operations import audit, hooks, lock, planning, proxy_plan, registry
from pykamal.operations.context import Context
from pykamal.operations.executor import execute
from pykamal.operations.plan import Phase, Plan, Task
from pykamal.operations.reading import capture, log_lines, read_facts, show_on_hosts


async def boot(context: Context) -> None:
    """Have the network and the proxy running; a running proxy is left alone."""
    if context.settings.plan_only:
        planning.show(context, await _boot_plan(context))
        return
    async with lock.held(context):
        await execute(await _boot_plan(context), context)


async def _boot_plan(context: Context) -> Plan:
    known = await read_facts(context, context.targets.hosts)
    return Plan("proxy boot", (Phase("proxy", proxy_plan.boot_tasks(context, known, log_in=True)),))


async def reboot(context: Context, *, rolling: bool = False) -> None:
    """Replace the proxy container by one with the current settings; all hosts at once, or one after the other."""
    hosts = context.targets.proxy_hosts
    groups = [(host,) for host in hosts] if rolling else [hosts]
    async with lock.held(context):
        phases = tuple(phase for group in groups for phase in _reboot_phases(context, group))
        await execute(Plan("proxy reboot", phases), context)


def _reboot_phases(context: Context, hosts: Sequence[str]) -> Iterator[Phase]:
    before = hooks.phase(context, "pre-proxy-reboot", hosts=hosts)
    after = hooks.phase(context, "post-proxy-reboot", hosts=hosts)
    if before is not None:
        yield before
    yield Phase(
        "proxy reboot",
        tuple(
            Task(
                host,
                "reboot proxy",
                script(
                    audit.step(context, "Rebooted proxy"),
                    registry.login_steps(context),
                    Step("stop proxy", commands.container_stop()),
                    Step("remove proxy container", commands.remove_container()),
                    Step("make proxy directory", commands.make_apps_directory()),
                    Step("run proxy", commands.run(context.config, host)),
                ),
            )
            for host in hosts
        ),
    )
    if after is not None:
        yield after


async def start(context: Context) -> None:
    await _each(context, "start proxy", "Started proxy", commands.container_start())


async def stop(context: Context) -> None:
    await _each(context, "stop proxy", "Stopped proxy", commands.container_stop())


async def restart(context: Context) -> None:
    """Stop on all hosts, then start on all."""
    async with lock.held(context):
        await stop(context)
        await start(context)


async def remove(context: Context, *, force: bool = False) -> None:
    """Remove proxy, image and files, unless other applications are installed on a host."""
    hosts = context.targets.proxy_hosts
    async with lock.held(context):
        counted = await capture(context, hosts, lambda _: [("count apps", server.count_apps())])
        if any(int(results[-1].captured or 0) > 0 for results in counted.values()):
            if not force:
                context.bus.say(
                    "Not removing the proxy, as other apps are installed, "
                    "ignore this check with kamal proxy remove --force"
                )
                return
            context.bus.say("Forcing, so removing the proxy, even though other apps are installed")
        steps = script(
            audit.step(context, "Stopped proxy"),
            Step("stop proxy", commands.container_stop()),
            audit.step(context, "Removed proxy container"),
            Step("remove proxy container", commands.remove_container()),
            audit.step(context, "Removed proxy image"),
            Step("remove proxy image", commands.remove_image()),
            Step("remove proxy files", commands.remove_directory()),
        )
        tasks = tuple(Task(host, "remove proxy", steps) for host in hosts)
        await execute(Plan("proxy remove", (Phase("remove proxy", tasks),)), context)


async def _each(context: Context, name: str, message: str, command: Command) -> None:
    async with lock.held(context):
        steps = script(audit.step(context, message), Step(name, command))
        tasks = tuple(Task(host, name, steps) for host in context.targets.proxy_hosts)
        await execute(Plan(name, (Phase(name, tasks),)), context)


async def details(context: Context) -> None:
    await show_on_hosts(context, context.targets.proxy_hosts, lambda _: commands.details(), kind="Proxy")


async def logs(
    context: Context,
    *,
    since: str | None = None,
    lines: int | None = None,
    grep: str | None = None,
    timestamps: bool = True,
) -> None:
    shown = log_lines(lines, since=since, grep=grep)
    command = commands.logs(since=since, lines=shown, grep=grep, timestamps=timestamps)
    await show_on_hosts(context, context.targets.proxy_hosts, lambda _: command, kind="Proxy")


def following(
    context: Context,
    *,
    since: str | None = None,
    lines: int | None = None,
    grep: str | None = None,
    timestamps: bool = True,
) -> tuple[str, Command]:
    """The host and the command to follow in a terminal."""
    host = context.targets.primary_host
    if host is None:
        raise KamalError("No host to follow logs on", hint="check --hosts")
    return host, commands.logs(since=since, lines=lines or 10, grep=grep, timestamps=timestamps, follow=True)
