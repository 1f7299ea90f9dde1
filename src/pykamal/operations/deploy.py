"""The main flows: setup, deploy, redeploy (spec/cli.md 13.1 to 13.3)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from pykamal.commands.script import script
from pykamal.events import RunFinished
from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.app.boot_plan import boot_phases, stale_tasks, tag_step, tag_tasks
from pykamal.operations.context import Context
from pykamal.operations.execution import hooks, preflight, printing
from pykamal.operations.execution.executor import execute
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import lock, prune, server
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.reading import deploy_lock, read_facts
from pykamal.operations.images import build, pull
from pykamal.operations.proxy.boot_plan import boot_tasks
from pykamal.operations.proxy.conflicts import refuse_conflicts
from pykamal.operations.proxy.image import ensure_proxy_image
from pykamal.operations.proxy.shared import warn_of_drift
from pykamal.operations.proxy.version import refuse_outdated, upgrade_outdated_proxies


async def setup(context: Context, *, skip_push: bool = False, no_cache: bool = False) -> None:
    """Install Docker where it is missing, then deploy with all accessories, the whole run under the lock."""
    if context.settings.plan_only:
        bare = await server.without_docker(context)
        installing = Plan(context.operation, server.install_phases(context, bare))
        accessories = bool(context.config.accessories)
        plan = await _plan(
            context, skip_push=skip_push, no_cache=no_cache, accessories=accessories, whole=True, bare=bare
        )
        printing.show(context, installing + plan)
        return
    preflight.require_secrets(context, builds=not skip_push, accessories=context.config.accessories)
    async with announced(context), lock.held(context):
        context.bus.say("Ensure Docker is installed...")
        await server.install_docker(context)
        await deploy(context, skip_push=skip_push, no_cache=no_cache, with_accessories=True)


async def deploy(
    context: Context, *, skip_push: bool = False, no_cache: bool = False, with_accessories: bool = False
) -> None:
    """Build, deliver, make sure of the proxy, switch to the new version, prune."""
    accessories = with_accessories and bool(context.config.accessories)
    await _deploy(context, skip_push=skip_push, no_cache=no_cache, accessories=accessories, whole=True)


async def redeploy(context: Context, *, skip_push: bool = False, no_cache: bool = False) -> None:
    """Deploy without touching the proxy and accessories.

    It prunes, which Ruby Kamal leaves to the next deploy: teams that only redeploy fill their disks.
    """
    await _deploy(context, skip_push=skip_push, no_cache=no_cache, accessories=False, whole=False)


async def _deploy(context: Context, *, skip_push: bool, no_cache: bool, accessories: bool, whole: bool) -> None:
    if context.settings.plan_only:
        plan = await _plan(context, skip_push=skip_push, no_cache=no_cache, accessories=accessories, whole=whole)
        printing.show(context, plan)
        return

    started = time.monotonic()
    async with announced(context):
        preflight.require_secrets(
            context, builds=not skip_push, accessories=context.config.accessories if accessories else ()
        )
        behind_proxy = context.config.accessories if accessories else ()

        async def check_proxies(context: Context) -> None:
            known = await read_facts(context, context.selection.proxy_hosts, proxy=True)
            refuse_conflicts(context, known, accessories=behind_proxy)
            if whole:
                refuse_outdated(context, known)

        context.bus.say("Pull app image..." if skip_push else "Build and push app image...")
        await build.deliver(context, skip_push=skip_push, no_cache=no_cache, boots_proxy=whole, meanwhile=check_proxies)
        async with deploy_lock(context, proxy=True) as fresh:
            await _release(context, fresh, accessories=accessories, whole=whole)
    await hooks.fire(context, "post-deploy", extra={"KAMAL_RUNTIME": str(int(time.monotonic() - started))})


async def _release(context: Context, fresh: dict[str, HostFacts], *, accessories: bool, whole: bool) -> None:
    """The pre-deploy hook and what follows it; before it, on a first deploy, what the hook's own commands need."""
    behind_proxy = context.config.accessories if accessories else ()
    ahead = False
    if whole and hooks.phase(context, "pre-deploy") is not None:
        fresh = await read_facts(context, context.selection.hosts, fresh, proxy=True)
        ahead = _lacks_app(context, fresh)
        if ahead:
            refuse_conflicts(context, fresh, accessories=behind_proxy)
            known = await _with_current_proxies(context, fresh)
            await _bring_services(context, known, accessories=accessories)
            await execute(first_tag_plan(context, known), context)
    if await hooks.fire(context, "pre-deploy"):
        fresh = {}
    known = await read_facts(context, context.selection.hosts, fresh, proxy=True)
    if whole:
        known = await _with_current_proxies(context, known)
    warn_of_drift(context, known)
    refuse_conflicts(context, known, accessories=behind_proxy)
    if accessories and not ahead:
        await _bring_services(context, known, accessories=True)
        known = await read_facts(context, context.selection.hosts)
    await execute(release_plan(context, known, proxy=whole and not accessories and not ahead), context)


def _lacks_app(context: Context, known: Mapping[str, HostFacts]) -> bool:
    """Whether some host has no container of the app yet, so that a hook could not run anything there."""
    selection = context.selection
    return any(not any(known[host].of_role(role) for role in selection.roles_on(host)) for host in selection.app_hosts)


def first_tag_plan(context: Context, known: Mapping[str, HostFacts]) -> Plan:
    """Where no host has any version, the new one is the latest before it is booted: `app exec` of a hook runs it."""
    of_roles = (known[host].of_role(role) for host in known for role in context.selection.roles_on(host))
    tag = script(tag_step(context, context.version))
    tasks = () if any(of_roles) else tuple(Task(host, "tag image", tag) for host in context.selection.app_hosts)
    return Plan(context.operation, (Phase("tag", tasks),))


async def _bring_services(context: Context, known: dict[str, HostFacts], *, accessories: bool) -> None:
    """Network and proxy, then the accessories, which may stand behind the proxy."""
    await execute(proxy_plan_of(context, known), context)
    if accessories:
        await accessory.boot_all(context)


async def _plan(
    context: Context, *, skip_push: bool, no_cache: bool, accessories: bool, whole: bool, bare: Sequence[str] = ()
) -> Plan:
    """All of it, as it would be done now. `bare` hosts have no Docker yet, so there is nothing on them."""
    known = await read_facts(context, [host for host in context.selection.hosts if host not in bare], proxy=True)
    known |= {host: HostFacts(host, ()) for host in bare}
    warn_of_drift(context, known)
    refuse_conflicts(context, known, accessories=context.config.accessories if accessories else ())
    plan = Plan(context.operation, (preflight.host_check(context, boots_proxy=whole),))
    if not skip_push:
        plan += await build.push_plan(context, no_cache=no_cache)
    plan += pull.pull_plan(context)
    hook = hooks.plan_of(context, "pre-deploy")
    ahead = whole and bool(hook.phases) and _lacks_app(context, known)
    services = Plan(context.operation, ())
    if accessories or ahead:
        services = proxy_plan_of(context, known)
    if accessories:
        services += await accessory.boot_plan(context, context.config.accessories, bare=bare)
    plan += services + first_tag_plan(context, known) + hook if ahead else hook + services
    plan += release_plan(context, known, proxy=whole and not accessories and not ahead)
    return plan + hooks.plan_of(context, "post-deploy")


async def _with_current_proxies(context: Context, known: dict[str, HostFacts]) -> dict[str, HostFacts]:
    await ensure_proxy_image(context, known)
    return await upgrade_outdated_proxies(context, known)


def proxy_plan_of(context: Context, known: dict[str, HostFacts]) -> Plan:
    """The first part of a release. A setup has accessories after it, which may stand behind the proxy."""
    tasks = boot_tasks(context, known, log_in=False)
    return Plan(context.operation, (Phase("proxy", tasks, ("Ensure kamal-proxy is running...",)),))


def release_plan(context: Context, known: dict[str, HostFacts], *, proxy: bool = True) -> Plan:
    """Everything that happens on the hosts under the lock, the proxy included unless it is seen to already."""
    version = context.version
    phases: list[Phase] = []
    if proxy:
        phases += proxy_plan_of(context, known).phases
    phases.append(Phase("stale containers", stale_tasks(context, known), ("Detect stale containers...",)))
    phases += boot_phases(context, known, version)
    phases.append(Phase("tag and prune", (*tag_tasks(context, version), *prune.tasks(context)), (PRUNING,)))
    return Plan(context.operation, tuple(phases))


PRUNING = "Prune old containers and images..."


@asynccontextmanager
async def announced(context: Context) -> AsyncIterator[None]:
    """`Finished all in X.X seconds`, also after a failure (spec/cli.md 4.4)."""
    started = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - started
        context.bus.emit(RunFinished(operation=context.operation, seconds=seconds, announced=True))
