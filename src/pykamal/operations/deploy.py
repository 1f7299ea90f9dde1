"""The main flows: setup, deploy, redeploy (spec/cli.md 13.1 to 13.3)."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from pykamal.commands.hooks import POST_DEPLOY, PRE_DEPLOY
from pykamal.commands.script import script
from pykamal.config.models import Accessory
from pykamal.events import RunFinished
from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.app.boot_plan import boot_phases, stale_tasks, tag_step, tag_tasks
from pykamal.operations.context import Context
from pykamal.operations.execution import hooks, preflight
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import lock, prune, server
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.reading import deploy_lock, read_facts
from pykamal.operations.images import build, secret_guard
from pykamal.operations.proxy.boot_plan import boot_tasks
from pykamal.operations.proxy.conflicts import refuse_conflicts
from pykamal.operations.proxy.proxy_image import ensure_proxy_image
from pykamal.operations.proxy.shared import warn_of_drift
from pykamal.operations.proxy.version import refuse_outdated, upgrade_outdated_proxies


async def setup(context: Context, *, skip_push: bool = False, no_cache: bool = False) -> None:
    """Install Docker where it is missing, then deploy with all accessories, the whole run under the lock."""
    preflight.require_secrets(context, builds=not skip_push, accessories=context.config.accessories)
    await secret_guard.refuse_leaks_of_project(context)
    async with context.executor.around(announced(context), None), lock.held(context):
        context.bus.say("Ensure Docker is installed...")
        await server.install_docker(context)
        await deploy(context, skip_push=skip_push, no_cache=no_cache, with_accessories=True)


async def deploy(
    context: Context, *, skip_push: bool = False, no_cache: bool = False, with_accessories: bool = False
) -> None:
    """Build, deliver, make sure of the proxy, switch to the new version, prune."""
    accessories = context.config.accessories if with_accessories else ()
    await _deploy(context, skip_push=skip_push, no_cache=no_cache, accessories=accessories, whole=True)


async def redeploy(context: Context, *, skip_push: bool = False, no_cache: bool = False) -> None:
    """Deploy without touching the proxy and accessories.

    It prunes, which Ruby Kamal leaves to the next deploy: teams that only redeploy fill their disks.
    """
    await _deploy(context, skip_push=skip_push, no_cache=no_cache, accessories=(), whole=False)


async def _deploy(
    context: Context, *, skip_push: bool, no_cache: bool, accessories: tuple[Accessory, ...], whole: bool
) -> None:
    started = time.monotonic()
    async with context.executor.around(announced(context), None):
        preflight.require_secrets(context, builds=not skip_push, accessories=accessories)

        async def check_proxies(context: Context) -> None:
            facts = await read_facts(context, context.selection.proxy_hosts, proxy=True)
            refuse_conflicts(context, facts, accessories=accessories)
            if whole:
                refuse_outdated(context, facts)

        context.bus.say("Pull app image..." if skip_push else "Build and push app image...")
        await build.deliver(context, skip_push=skip_push, no_cache=no_cache, boots_proxy=whole, meanwhile=check_proxies)
        async with deploy_lock(context, proxy=True) as facts:
            await _release(context, facts, accessories=accessories, whole=whole)
    await hooks.fire(context, POST_DEPLOY, {"KAMAL_RUNTIME": str(int(time.monotonic() - started))})


async def _release(
    context: Context, facts: dict[str, HostFacts], *, accessories: tuple[Accessory, ...], whole: bool
) -> None:
    """The pre-deploy hook and what follows it; before it, on a first deploy, what the hook's own commands need."""
    ahead = False
    if whole and hooks.phase(context, PRE_DEPLOY) is not None:
        facts = await read_facts(context, context.selection.hosts, facts, proxy=True)
        ahead = _lacks_app(context, facts)
        if ahead:
            refuse_conflicts(context, facts, accessories=accessories)
            facts = await _with_current_proxies(context, facts)
            await _bring_services(context, facts, accessories=accessories)
            await context.execute(first_tag_plan(context, facts))
    if await hooks.fire(context, PRE_DEPLOY):
        facts = {}
    facts = await read_facts(context, context.selection.hosts, facts, proxy=True)
    if whole:
        facts = await _with_current_proxies(context, facts)
    warn_of_drift(context, facts)
    refuse_conflicts(context, facts, accessories=accessories)
    if accessories and not ahead:
        await _bring_services(context, facts, accessories=accessories)
        facts = await read_facts(context, context.selection.hosts)
    await context.execute(release_plan(context, facts, proxy=whole and not accessories and not ahead))


def _lacks_app(context: Context, facts: Mapping[str, HostFacts]) -> bool:
    """True if some host has no container of the app yet, so that a hook could not run anything there."""
    selection = context.selection
    return any(not any(facts[host].of_role(role) for role in selection.roles_on(host)) for host in selection.app_hosts)


def first_tag_plan(context: Context, facts: Mapping[str, HostFacts]) -> Plan:
    """Tag the new version as the latest before its boot if no host has any: `app exec` of a hook runs it."""
    of_roles = (facts[host].of_role(role) for host in facts for role in context.selection.roles_on(host))
    tag = script(tag_step(context, context.version))
    tasks = () if any(of_roles) else tuple(Task(host, "tag image", tag) for host in context.selection.app_hosts)
    return Plan(context.operation, (Phase("tag", tasks),))


async def _bring_services(context: Context, facts: dict[str, HostFacts], *, accessories: tuple[Accessory, ...]) -> None:
    """Network and proxy, then the accessories, which may stand behind the proxy."""
    await context.execute(proxy_plan_of(context, facts))
    await accessory.boot_all(context, accessories)


async def _with_current_proxies(context: Context, facts: dict[str, HostFacts]) -> dict[str, HostFacts]:
    await ensure_proxy_image(context, facts)
    return await upgrade_outdated_proxies(context, facts)


def proxy_plan_of(context: Context, facts: dict[str, HostFacts]) -> Plan:
    """The first part of a release. A setup boots accessories after it, which may stand behind the proxy."""
    tasks = boot_tasks(context, facts, log_in=False)
    return Plan(context.operation, (Phase("proxy", tasks, ("Ensure kamal-proxy is running...",)),))


def release_plan(context: Context, facts: dict[str, HostFacts], *, proxy: bool = True) -> Plan:
    """Everything that happens on the hosts under the lock, the proxy included unless it is seen to already."""
    phases = proxy_plan_of(context, facts).phases if proxy else ()
    return Plan(context.operation, (*phases, *(phase for step in RELEASE for phase in step(context, facts))))


def _stale_phases(context: Context, facts: Mapping[str, HostFacts]) -> Iterator[Phase]:
    yield Phase("stale containers", stale_tasks(context, facts), ("Detect stale containers...",))


def _boot_phases(context: Context, facts: Mapping[str, HostFacts]) -> Iterator[Phase]:
    yield from boot_phases(context, facts, context.version)


def _closing_phases(context: Context, _: Mapping[str, HostFacts]) -> Iterator[Phase]:
    yield Phase("tag and prune", (*tag_tasks(context, context.version), *prune.tasks(context)), (PRUNING,))


PRUNING = "Prune old containers and images..."
RELEASE: Final[tuple[Callable[[Context, Mapping[str, HostFacts]], Iterator[Phase]], ...]] = (
    _stale_phases,
    _boot_phases,
    _closing_phases,
)
"""The steps of a release behind the proxy's, in order, each with the phases that it needs on these hosts."""


@asynccontextmanager
async def announced(context: Context) -> AsyncIterator[None]:
    """`Finished all in X.X seconds`, also after a failure (spec/cli.md 4.4)."""
    started = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - started
        context.bus.emit(RunFinished(operation=context.operation, seconds=seconds, announced=True))
