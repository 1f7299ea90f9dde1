"""Boots, starts, stops and shows the application's containers (spec/cli.md 13.5 and 14.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from pykamal.commands import app as commands
from pykamal.commands import proxy
from pykamal.commands.command import Command
from pykamal.commands.script import Script, Step, script
from pykamal.commands.subject import Action, of_role
from pykamal.config.models import Role
from pykamal.core.errors import KamalError
from pykamal.events import HostResult
from pykamal.operations.app.boot_plan import boot_phases, ready_steps, stale_versions, stop_step, tag_tasks
from pykamal.operations.app.versions import available_versions, listed, missing, without_container
from pykamal.operations.context import Context
from pykamal.operations.execution import evidence
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import audit, lock
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.reading import ENGINE, deploy_lock, read_facts, show_on_hosts, show_steps
from pykamal.operations.proxy.conflicts import refuse_conflicts
from pykamal.operations.proxy.site_files import error_page_steps


async def boot(context: Context) -> None:
    """Start a version that is on the hosts as an image: `--version`, else the latest tag."""
    async with deploy_lock(context, proxy=True) as given:
        version = _choose_version(context)
        facts = await read_facts(context, context.selection.app_hosts, given, proxy=True)
        await context.execute(_boot_plan(context, facts, version))


def _choose_version(context: Context) -> str:
    """Make the latest image's version the one in effect for hooks; the lock names the commit, as in Ruby Kamal."""
    if context.settings.version is None:
        context.bus.say("Get most recent version available as an image...")
        context.version_override = context.config.latest_tag
    return context.version


def _boot_plan(context: Context, facts: Mapping[str, HostFacts], version: str) -> Plan:
    refuse_conflicts(context, facts)
    phases = [*boot_phases(context, facts, version), Phase("tag", tag_tasks(context, version))]
    return Plan("app boot", tuple(phases))


async def start(context: Context) -> None:
    """Start the containers of the version in effect, and give the proxy's traffic to them, or to those that ran before.

    So another version that runs keeps its traffic, as in Ruby Kamal (spec/cli.md 14.3).
    """
    version = context.version

    def check(facts: Mapping[str, HostFacts]) -> None:
        _require_containers(context, facts, version)
        refuse_conflicts(context, facts)

    def steps(role: Role, facts: HostFacts) -> Iterable[Step]:
        yield audit.step(context, f"Started app version {version}")
        if facts.has_container(role, version):
            yield Step(f"start {role.name}", commands.start(role, version), of_role(Action.START, role))
        if role.proxy is not None:
            serving = facts.current_version(role) or version
            yield from error_page_steps(context.config, serving)  # a boot of another version has removed them
            yield from ready_steps(context, role, serving, new=False)
        elif facts.has_container(role, version):
            yield from ready_steps(context, role, version, new=False)

    def explanation(role: Role, facts: HostFacts) -> Script:
        serving = facts.current_version(role) if role.proxy is not None else None
        return evidence.of_container(role.container_name(serving or version), role.proxy)

    await change(context, "app start", steps, explanation, check=check)


def _require_containers(context: Context, facts: Mapping[str, HostFacts], version: str) -> None:
    """Raise `KamalError` where there is nothing to start: no container of the version, and none that runs.

    A version that was asked for by name has to be there, whatever runs.
    """
    named = context.settings.version is not None
    lacking = [
        (each, role)
        for each, role in without_container(context, facts, version)
        if named or each.current_version(role) is None
    ]
    if lacking:
        raise KamalError(
            f"There is no container of version {version} to start",
            host=lacking[0][0].host,
            details=[missing(each, role, version) for each, role in lacking],
            hint=f"boot it with `kamal app boot --version {version}`, or name with --version one that is on every "
            f"host: {listed(available_versions(context, facts))}",
        )


async def stop(context: Context, *, stale: bool = False) -> None:
    """Take the containers out of the proxy, then stop the current ones; with `stale` those of all versions."""
    await change(context, "app stop", lambda role, facts: _stop_steps(context, role, facts, stale=stale))


def _stop_steps(context: Context, role: Role, facts: HostFacts, *, stale: bool) -> Iterable[Step]:
    yield audit.step(context, "Stopped app", role)
    current = facts.replaced_version(role)
    if role.running_proxy and current is not None:
        yield Step(f"remove {role.name} from proxy", proxy.remove(role.container_prefix), of_role(Action.REMOVE, role))
    yield Step(f"stop {role.name}", commands.stop_current(context.config, role), of_role(Action.STOP, role))
    if current is not None and current not in facts.running_versions(role):
        yield stop_step(f"stop paused {current}", role, current)
    for version in stale_versions(facts, role) if stale else ():
        yield stop_step(f"stop stale {version}", role, version)


async def live(context: Context) -> None:
    """End maintenance."""
    _require_proxied(context)
    await change(context, "app live", lambda role, _: _proxied(role, proxy.resume(role.container_prefix)))


async def maintenance(context: Context, *, drain_timeout: int | None = None, message: str | None = None) -> None:
    """Answer every request with the maintenance page; `drain_timeout` in seconds."""
    _require_proxied(context)
    seconds = context.config.drain_timeout if drain_timeout is None else drain_timeout
    await change(
        context,
        "app maintenance",
        lambda role, _: _proxied(role, proxy.stop(role.container_prefix, drain_timeout=seconds, message=message)),
    )


def _require_proxied(context: Context) -> None:
    """Raise `KamalError` where no role is behind the proxy, so that nothing would be done."""
    if not any(role.running_proxy for role in context.selection.roles):
        raise KamalError(
            "No selected role runs behind the proxy, so there is no maintenance to begin or to end",
            hint="check proxy in deploy.yml, --hosts and --roles",
        )


def _proxied(role: Role, command: Command) -> Iterable[Step]:
    if role.running_proxy:
        yield Step(f"tell proxy about {role.name}", command, of_role(Action.SWITCH, role))


async def stale_containers(context: Context, *, stop: bool = False) -> None:
    """Name the running containers of versions that are not current; with `stop` also stop them."""
    if not stop:
        facts = await read_facts(context, context.selection.app_hosts)
        for host in context.selection.app_hosts:
            for role in context.selection.roles_on(host):
                for version in stale_versions(facts[host], role):
                    advice = "(use `kamal app stale_containers --stop` to stop)"
                    text = f"Detected stale container for role {role.name} with version {version} {advice}"
                    context.bus.emit(HostResult(host=host, text=text))
        return

    def steps(role: Role, facts: HostFacts) -> Iterable[Step]:
        for version in stale_versions(facts, role):
            text = f"Stopping stale container for role {role.name} with version {version} on {facts.host}"
            yield replace(stop_step(f"stop stale {version}", role, version), announcements=(text,))

    await change(context, "app stale_containers", steps)


async def change(
    context: Context,
    name: str,
    steps_of: Callable[[Role, HostFacts], Iterable[Step]],
    evidence_of: Callable[[Role, HostFacts], Script] | None = None,
    *,
    check: Callable[[Mapping[str, HostFacts]], None] | None = None,
) -> None:
    """Under the lock, run a role's steps on each of its hosts; `check` sees the facts of all, proxies too, before."""
    parallel = context.config.boot.parallel_roles
    async with lock.held(context):
        facts = await read_facts(context, context.selection.app_hosts, proxy=check is not None)
        if check is not None:
            check(facts)
        tasks = tuple(
            Task(
                host,
                name,
                script(steps),
                evidence=evidence_of(role, facts[host]) if evidence_of is not None else None,
                branch=role.name if parallel else None,
            )
            for host in context.selection.app_hosts
            for role in context.selection.roles_on(host)
            for steps in [tuple(steps_of(role, facts[host]))]
            if steps
        )
        await context.execute(Plan(name, (Phase(name, tasks),)))


# -- looking


async def details(context: Context) -> None:
    await show_on_hosts(
        context,
        context.selection.app_hosts,
        lambda host: [commands.details(context.config, role) for role in context.selection.roles_on(host)],
    )


async def containers(context: Context) -> None:
    await show_on_hosts(context, context.selection.app_hosts, lambda _: commands.list_containers(context.config))


async def images(context: Context) -> None:
    await show_on_hosts(context, context.selection.app_hosts, lambda _: commands.list_images(context.config))


async def version(context: Context) -> None:
    """The running version on each host, of the first selected role on it."""

    def steps_for(host: str) -> Sequence[Step]:
        first = context.selection.roles_on(host)[:1]
        return [ENGINE, *(Step("", commands.current_version(context.config, role)) for role in first)]

    await show_steps(context, context.selection.app_hosts, steps_for)
