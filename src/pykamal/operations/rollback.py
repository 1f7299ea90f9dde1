"""Going back to a version whose container is still on the hosts (spec/cli.md 13.4)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pykamal.config.models import Role
from pykamal.core.errors import KamalError
from pykamal.events import HostResult, Tone
from pykamal.operations.app.boot_plan import boot_phases, tag_tasks
from pykamal.operations.context import Context
from pykamal.operations.deploy import announced
from pykamal.operations.execution import hooks, printing
from pykamal.operations.execution.executor import execute
from pykamal.operations.execution.plan import Phase, Plan
from pykamal.operations.hosts.facts import Container, HostFacts, version_of
from pykamal.operations.hosts.reading import read_facts, under_lock


async def rollback(context: Context, *, version: str) -> None:
    """Boot an earlier version. Raises `KamalError`, before anything changes, where it is not on every host."""
    context.version_override = version
    if context.settings.plan_only:
        known = await read_facts(context, context.targets.hosts)
        check_available(context, known, version)
        plan = hooks.plan_of(context, "pre-deploy") + rollback_plan(context, known, version)
        printing.show(context, plan + hooks.plan_of(context, "post-deploy"))
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
    available = available_versions(context, known)
    meant = [each for each in available if each.startswith(version)]
    raise KamalError(
        f"The app version '{version}' is not available as a container "
        "(use 'kamal app containers' for available versions)",
        details=missing,
        hint=f"kamal rollback {meant[0]}"
        if len(meant) == 1
        else f"versions on every host: {', '.join(available) or 'none'}",
    )


def available_versions(context: Context, known: dict[str, HostFacts]) -> list[str]:
    """Versions of which every selected role has a container on each of its hosts, newest first."""
    held = [
        [version for version, _ in _deployed(known[host], role)]
        for host in context.targets.app_hosts
        for role in context.targets.roles_on(host)
    ]
    return [version for version in held[0] if all(version in versions for versions in held)] if held else []


def _deployed(facts: HostFacts, role: Role) -> list[tuple[str, Container]]:
    """The role's containers by version, newest first, but for those that made way for one of the same version."""
    found = [(version_of(role, container), container) for container in facts.of_role(role)]
    return [(version, container) for version, container in found if "_replaced_" not in version]


async def show_versions(context: Context) -> None:
    """`kamal rollback` without a version: what there is to go back to, host by host, newest first."""
    known = await read_facts(context, context.targets.app_hosts)
    for host in context.targets.app_hosts:
        context.bus.emit(HostResult(host=host, text=_listed(known[host], context.targets.roles_on(host))))
    running = {known[host].current_version(role) for host in known for role in context.targets.roles_on(host)}
    others = [version for version in available_versions(context, known) if {version} != running]
    if others:
        context.bus.say(f"`kamal rollback VERSION` goes to one that every host has: {', '.join(others)}")
    else:
        context.bus.say("There is no other version on every host to roll back to", Tone.WARNING)


def _listed(facts: HostFacts, roles: Sequence[Role]) -> str:
    rows = [("ROLE", "VERSION", "CREATED", "STATE")]
    for role in roles:
        current = facts.current_version(role)
        rows += [
            (role.name, version, each.age, f"{each.state}{' (current)' if version == current else ''}")
            for version, each in _deployed(facts, role)
        ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    )
