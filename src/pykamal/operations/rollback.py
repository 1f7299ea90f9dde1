"""Goes back to a version whose container is still on the hosts (spec/cli.md 13.4)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from pykamal.commands.hooks import POST_DEPLOY, PRE_DEPLOY
from pykamal.config.models import Role
from pykamal.core.errors import KamalError
from pykamal.events import HostResult, Tone
from pykamal.operations.app.boot_plan import boot_phases, tag_tasks
from pykamal.operations.app.versions import (
    available_versions,
    deployed,
    full_version,
    listed,
    missing,
    without_container,
)
from pykamal.operations.context import Context
from pykamal.operations.deploy import announced
from pykamal.operations.execution import hooks
from pykamal.operations.execution.plan import Phase, Plan
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.reading import deploy_lock, read_facts
from pykamal.operations.proxy.conflicts import refuse_conflicts


async def rollback(context: Context, *, version: str | None = None) -> None:
    """Boot an earlier version, whose name may be abbreviated; without a version, list those there are.

    Raises `KamalError`, before anything changes, where it is not on every host or its name is not one's alone.
    """
    if version is None:
        await show_versions(context)
        return
    context.version_override = version
    started = time.monotonic()
    async with context.executor.around(announced(context), None), deploy_lock(context, proxy=True) as given:
        facts = await read_facts(context, context.selection.hosts, given, proxy=True)
        _choose(context, facts, version)
        if await hooks.fire(context, PRE_DEPLOY):
            facts = await read_facts(context, context.selection.hosts)
        await context.execute(rollback_plan(context, facts, context.version))
    await hooks.fire(context, POST_DEPLOY, {"KAMAL_RUNTIME": str(int(time.monotonic() - started))})


def _choose(context: Context, facts: Mapping[str, HostFacts], text: str) -> None:
    """Make the version that was meant the one in effect, if every host can go back to it."""
    context.version_override = full_version(context, facts, text)
    if context.version != text:
        context.bus.say(f"Rolling back to {context.version}...")
    check_available(context, facts, context.version)
    refuse_conflicts(context, facts)


def rollback_plan(context: Context, facts: Mapping[str, HostFacts], version: str) -> Plan:
    phases = [*boot_phases(context, facts, version), Phase("tag", tag_tasks(context, version))]
    return Plan(context.operation, tuple(phases))


def check_available(context: Context, facts: Mapping[str, HostFacts], version: str) -> None:
    """Refuse a version that some host has no container of, naming those that can be rolled back to.

    Ruby Kamal says the same and exits 0; a rollback that did not happen is a failure here (spec/cli.md 22, 11).
    """
    lacking = without_container(context, facts, version)
    if lacking:
        raise KamalError(
            f"The app version '{version}' is not available as a container "
            "(use 'kamal app containers' for available versions)",
            details=[missing(each, role, version) for each, role in lacking],
            hint=f"versions on every host: {listed(available_versions(context, facts))}",
        )


async def show_versions(context: Context) -> None:
    """`kamal rollback` without a version: what there is to go back to, host by host, newest first."""
    facts = await read_facts(context, context.selection.app_hosts)
    for host in context.selection.app_hosts:
        context.bus.emit(HostResult(host=host, text=_table(facts[host], context.selection.roles_on(host))))
    running = {facts[host].current_version(role) for host in facts for role in context.selection.roles_on(host)}
    others = [version for version in available_versions(context, facts) if {version} != running]
    if others:
        context.bus.say(f"`kamal rollback VERSION` goes to one that every host has: {', '.join(others)}")
    else:
        context.bus.say("There is no other version on every host to roll back to", Tone.WARNING)


def _table(facts: HostFacts, roles: Sequence[Role]) -> str:
    rows = [("ROLE", "VERSION", "CREATED", "STATE")]
    for role in roles:
        current = facts.current_version(role)
        rows += [
            (role.name, version, each.age, f"{each.state}{' (current)' if version == current else ''}")
            for version, each in deployed(facts, role)
        ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    )
