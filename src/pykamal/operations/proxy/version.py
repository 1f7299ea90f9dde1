"""Replaces proxies that are too old instead of ending the run (spec/cli.md 14.7, `proxy boot`)."""

from __future__ import annotations

from pykamal.commands import proxy_switch
from pykamal.config.models.proxy import MINIMUM_PROXY_VERSION
from pykamal.core.errors import KamalError
from pykamal.events import Tone
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Plan
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.reading import read_facts
from pykamal.operations.proxy.boot_plan import outdated, reboot_phases, too_old
from pykamal.operations.proxy.shared import refuse_losses

STILL_OLD = (
    "the version of the new proxy is chosen by proxy/run/version in deploy.yml, or where that is not set by "
    "`kamal proxy boot_config`: see `kamal proxy boot_config get`, and `reset` it"
)


async def upgrade_outdated_proxies(context: Context, facts: dict[str, HostFacts]) -> dict[str, HostFacts]:
    """Replace the proxies that are too old, where the user agrees to it; the facts as they are then.

    Hosts where a reboot was cut off are named: their proxy may have the settings of before.
    Raises `KamalError` where nobody agrees, and for a proxy that is still too old afterwards.
    """
    for host in context.selection.proxy_hosts:
        if proxy_switch.NEXT in [container.name for container in facts[host].containers]:
            message = f"{host}: the last reboot of the proxy was cut off; `kamal proxy reboot` makes up for it"
            context.bus.say(message, Tone.WARNING)
    old = _outdated(context, facts)
    if not old:
        return facts
    versions = ", ".join(f"{facts[host].proxy_version} on {host}" for host in old)
    if not await _agreed(context, f"kamal-proxy is too old: {versions}. Reboot it, with a brief outage on each host?"):
        raise _refusal(facts, old)
    refuse_losses(context, facts, old)
    await context.execute(Plan("proxy reboot", tuple(reboot_phases(context, old))))
    facts = {**facts, **await read_facts(context, old, proxy=True)}
    if still_old := _outdated(context, facts):
        host = still_old[0]
        raise KamalError(
            f"The new kamal-proxy of {host} has version {facts[host].proxy_version}, which is too old as well; "
            f"{MINIMUM_PROXY_VERSION} is needed",
            host=host,
            hint=STILL_OLD,
        )
    return facts


def refuse_outdated(context: Context, facts: dict[str, HostFacts]) -> None:
    """Raise what `upgrade_outdated_proxies` would, where nobody can be asked and nobody agreed before."""
    if context.settings.upgrade_proxy or context.ask is not None:
        return
    if old := _outdated(context, facts):
        raise _refusal(facts, old)


def _refusal(facts: dict[str, HostFacts], old: list[str]) -> KamalError:
    error = too_old(old[0], facts[old[0]])
    error.details = tuple(f"{host}: {facts[host].proxy_version}" for host in old)
    return error


def _outdated(context: Context, facts: dict[str, HostFacts]) -> list[str]:
    return [host for host in context.selection.proxy_hosts if outdated(facts[host])]


async def _agreed(context: Context, question: str) -> bool:
    if context.settings.upgrade_proxy:
        return True
    return context.ask is not None and await context.ask(question)
