"""Going back to a version whose container is still on the hosts (spec/cli.md 13.4)."""

from __future__ import annotations

import time

from pykamal.core.errors import KamalError
from pykamal.operations import hooks, planning
from pykamal.operations.boot_plan import boot_phases, tag_tasks
from pykamal.operations.context import Context
from pykamal.operations.deploy import announced
from pykamal.operations.executor import execute
from pykamal.operations.facts import HostFacts
from pykamal.operations.plan import Phase, Plan
from pykamal.operations.reading import read_facts, under_lock


async def rollback(context: Context, *, version: str) -> None:
    """Boot an earlier version. Raises `KamalError`, before anything changes, where it is not on every host."""
    context.version_override = version
    if context.settings.plan_only:
        known = await read_facts(context, context.targets.hosts)
        check_available(context, known, version)
        planning.show(context, rollback_plan(context, known, version))
        return

    started = time.monotonic()
    async with announced(context), under_lock(context) as fresh:
        known = await read_facts(context, context.targets.hosts, fresh)
        check_available(context, known, version)
        if await hooks.fire(context, "pre-deploy"):
            known = await read_facts(context, context.targets.hosts)
        await execute(rollback_plan(context, known, version), context)
    await hooks.fire(context, "post-deploy", extra={"KAMAL_RUNTIME": str(int(time.monotonic() - started))})


def rollback_plan(context: Context, known: dict[str, HostFacts], version: str) -> Plan:
    phases = [*boot_phases(context, known, version), Phase("tag", tag_tasks(context, version))]
    return Plan(context.operation, tuple(phases))


def check_available(context: Context, known: dict[str, HostFacts], version: str) -> None:
    """Refuse a version that some host has no container of, naming those that can be rolled back to.

    Ruby Kamal says the same and exits 0; a rollback that did not happen is a failure here (spec/cli.md 22, 11).
    """
    missing = [
        f"{host}: no container {role.container_name(version)}"
        for host in context.targets.app_hosts
        for role in context.targets.roles_on(host)
        if not known[host].has_container(role, version)
    ]
    if not missing:
        return
    available = sorted(available_versions(context, known))
    raise KamalError(
        f"The app version '{version}' is not available as a container "
        "(use 'kamal app containers' for available versions)",
        details=missing,
        hint=f"versions on every host: {', '.join(available) or 'none'}",
    )


def available_versions(context: Context, known: dict[str, HostFacts]) -> set[str]:
    """Versions of which every selected role has a container on each of its hosts."""
    held = [
        {container.name.removeprefix(f"{role.container_prefix}-") for container in known[host].of_role(role)}
        for host in context.targets.app_hosts
        for role in context.targets.roles_on(host)
    ]
    return {version for version in set.intersection(*held) if "_replaced_" not in version} if held else set()
