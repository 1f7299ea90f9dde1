"""Boots, reboots, starts, stops, removes and shows the proxy on the hosts (spec/cli.md 14.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pykamal.commands import proxy as commands
from pykamal.commands import proxy_switch, server
from pykamal.commands.command import Command
from pykamal.commands.logs import ALL_LINES, LogSelection, container_checks
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_proxy
from pykamal.core.answers import number
from pykamal.core.errors import KamalError, UnexpectedAnswer
from pykamal.events import Tone
from pykamal.operations.context import Context
from pykamal.operations.execution import evidence
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import audit, lock
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.projection import app_removal_pending
from pykamal.operations.hosts.reading import capture, deploy_lock, read_facts, show_on_hosts
from pykamal.operations.local.terminal import followed
from pykamal.operations.proxy.boot_plan import boot_tasks, reboot_phases
from pykamal.operations.proxy.proxy_image import ensure_proxy_image
from pykamal.operations.proxy.shared import described, others, refuse_losses, tell_of_others, warn_of_drift
from pykamal.operations.proxy.version import upgrade_outdated_proxies
from pykamal.transport.session import StepResult


async def boot(context: Context) -> None:
    """Have the network and the proxy running; a running proxy is left alone, unless it is too old."""
    async with lock.held(context):
        facts = await read_facts(context, context.selection.hosts, proxy=True)
        await ensure_proxy_image(context, facts)
        facts = await upgrade_outdated_proxies(context, facts)
        await context.execute(_boot_plan(context, facts))


def _boot_plan(context: Context, facts: Mapping[str, HostFacts]) -> Plan:
    warn_of_drift(context, facts)
    return Plan("proxy boot", (Phase("proxy", boot_tasks(context, facts, log_in=True)),))


async def reboot(context: Context, *, rolling: bool = False, force: bool = False) -> None:
    """Replace the proxy container by one with the current settings; all hosts at once, or one after the other.

    Raises `KamalError` where other projects would lose settings, unless by `force`.
    """
    hosts = _proxy_hosts(context)
    async with deploy_lock(context, proxy=True) as given:
        facts = await read_facts(context, hosts, given, proxy=True)
        refuse_losses(context, facts, hosts, force=force)
        tell_of_others(context, facts)
        await context.execute(_reboot_plan(context, rolling=rolling))


def _reboot_plan(context: Context, *, rolling: bool) -> Plan:
    hosts = context.selection.proxy_hosts
    groups = [(host,) for host in hosts] if rolling else [hosts]
    return Plan("proxy reboot", tuple(phase for group in groups for phase in reboot_phases(context, group)))


def _proxy_hosts(context: Context) -> tuple[str, ...]:
    """The selected hosts that run the proxy. Raises `KamalError` where there is none, so nothing would be done."""
    if not context.selection.proxy_hosts:
        raise KamalError("No selected host runs the proxy", hint="check proxy in deploy.yml, --hosts and --roles")
    return context.selection.proxy_hosts


async def start(context: Context) -> None:
    steps = (
        audit.step(context, "Started proxy"),
        Step("start proxy", commands.container_start(), of_proxy(Action.START)),
        Step("wait for proxy", proxy_switch.wait(), of_proxy(Action.WAIT)),
    )
    _proxy_hosts(context)
    await _on_proxies(context, "start proxy", steps)


async def stop(context: Context) -> None:
    hosts = _proxy_hosts(context)
    async with lock.held(context):
        tell_of_others(context, await read_facts(context, hosts, proxy=True))
        await _on_proxies(context, "stop proxy", _stop_steps(context))


async def restart(context: Context) -> None:
    """Stop on all hosts, then start on all."""
    async with lock.held(context):
        await stop(context)
        await start(context)


async def remove(context: Context, *, force: bool = False) -> None:
    """Remove proxy, image and files. Raises `KamalError` where applications are installed, unless by `force`."""
    _proxy_hosts(context)
    async with lock.held(context):
        needed = await _needed_by(context)
        if needed and not force:
            raise KamalError(KEPT, details=needed)
        if needed:
            context.bus.say("Forcing, so removing the proxy, even though other apps are installed")
        await _remove(context)


async def remove_unless_needed(context: Context) -> None:
    """Remove it as a part of `kamal remove`, for which it is no failure that the proxy has to stay."""
    needed = await _needed_by(context)
    if needed:
        context.bus.say("\n".join([KEPT, *needed]), Tone.WARNING)
    else:
        await _remove(context)


KEPT = "Not removing the proxy, as other apps are installed, ignore this check with kamal proxy remove --force"


async def _needed_by(context: Context) -> list[str]:
    """Hosts with applications, as lines for people: directories of this login's, and whatever is behind the proxy."""
    hosts = context.selection.proxy_hosts
    counted = await capture(context, hosts, lambda _: [("count apps", server.count_apps())])
    facts = await read_facts(context, hosts, proxy=True)
    lines = []
    for host in hosts:
        count = _count(host, counted[host][-1])
        if app_removal_pending(context.executor.pending(host)):
            count = max(0, count - 1)
        services = [described(service, facts[host]) for service in others(context, facts[host])]
        if count or services:
            shown = f"behind the proxy: {', '.join(services)}" if services else f"apps in .kamal/apps: {count}"
            lines.append(f"{host}: {shown}")
    return lines


async def _remove(context: Context) -> None:
    steps = (
        *_stop_steps(context),
        *_remove_container_steps(context),
        *_remove_image_steps(context),
        *_remove_directory_steps(),
    )
    await _on_proxies(context, "remove proxy", steps)


def _count(host: str, result: StepResult) -> int:
    count = number(result.captured or "0")
    if count is not None:
        return count
    raise UnexpectedAnswer(
        f"{host} was asked how many apps are installed, and answered with no number",
        host=host,
        details=[f"it said: {result.captured[:80]}"],
        hint="see what `ls .kamal/apps | wc -l` prints there",
    )


# -- single steps of `remove`, as hidden commands (spec/cli.md 12.4)


async def remove_container(context: Context) -> None:
    await _on_proxies(context, "remove proxy container", _remove_container_steps(context))


async def remove_image(context: Context) -> None:
    await _on_proxies(context, "remove proxy image", _remove_image_steps(context))


async def remove_proxy_directory(context: Context) -> None:
    await _on_proxies(context, "remove proxy files", _remove_directory_steps())


def _stop_steps(context: Context) -> tuple[Step, ...]:
    return audit.step(context, "Stopped proxy"), Step("stop proxy", commands.container_stop(), of_proxy(Action.STOP))


def _remove_container_steps(context: Context) -> tuple[Step, ...]:
    note = audit.step(context, "Removed proxy container")
    return note, Step("remove proxy container", commands.remove_container(), of_proxy(Action.REMOVE_CONTAINER))


def _remove_image_steps(context: Context) -> tuple[Step, ...]:
    return audit.step(context, "Removed proxy image"), Step("remove proxy image", commands.remove_image())


def _remove_directory_steps() -> tuple[Step, ...]:
    return (Step("remove proxy files", commands.remove_directory(), of_proxy(Action.REMOVE)),)


async def _on_proxies(context: Context, title: str, steps: Sequence[Step]) -> None:
    async with lock.held(context):
        state = evidence.of_container(commands.CONTAINER)
        tasks = tuple(Task(host, title, script(steps), evidence=state) for host in context.selection.proxy_hosts)
        await context.execute(Plan(title, (Phase(title, tasks),)))


# -- looking

LOOKED_AT: Final = of_proxy(Action.LOOK)


async def details(context: Context) -> None:
    await show_on_hosts(context, context.selection.proxy_hosts, lambda _: commands.details(), kind="Proxy")


async def logs(context: Context, selection: LogSelection = ALL_LINES) -> None:
    """Log lines of every proxy."""
    command, checks = commands.logs(selection.limited()), container_checks(commands.CONTAINER, selection)
    await show_on_hosts(
        context,
        _proxy_hosts(context),
        lambda _: command,
        kind="Proxy",
        checks=checks,
        subject=LOOKED_AT,
        verbatim=True,
    )


def following(context: Context, selection: LogSelection = ALL_LINES) -> tuple[str, Command]:
    """The host and the command to follow in a terminal. Raises `KamalError` where no host is selected."""
    host = context.selection.primary_host
    if host is None:
        raise KamalError("No host to follow logs on", hint="check --hosts")
    shown = commands.logs(selection, follow=True)
    return followed(context, host, shown, what="the proxy", others=context.selection.proxy_hosts)
