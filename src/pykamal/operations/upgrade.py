"""Moves hosts from Kamal 1 to Kamal 2: kamal-proxy instead of Traefik, everything booted anew (spec/cli.md 13.7)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.commands import proxy as commands
from pykamal.commands import proxy_image
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_proxy
from pykamal.events import Tone
from pykamal.operations.accessory import lifecycle as accessory
from pykamal.operations.app import lifecycle as app
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import audit, lock, prune
from pykamal.operations.hosts.reading import read_facts
from pykamal.operations.images import registry
from pykamal.operations.proxy import lifecycle as proxy
from pykamal.operations.proxy.boot_plan import hook_phases
from pykamal.operations.proxy.shared import refuse_losses


async def upgrade(context: Context, *, rolling: bool = False) -> None:
    """`kamal upgrade`: proxy and accessories of all hosts, or of one host after the other."""
    async with lock.held(context):
        await _look_at_others(context)
        if not rolling:
            context.bus.say("Upgrading all hosts...")
            await _upgrade_host(context)
            context.bus.say("Upgraded all hosts")
            return
        for host in context.selection.hosts:
            context.bus.say(f"Upgrading {host}...")
            await _upgrade_host(context.on([host]))
            context.bus.say(f"Upgraded {host}")


async def _upgrade_host(context: Context) -> None:
    if context.selection.app_hosts:
        await _upgrade_proxies(context, context.selection.hosts)
    if context.selection.accessory_hosts:
        await accessory.upgrade(context, name="all")


async def upgrade_proxy(context: Context, *, rolling: bool = False) -> None:
    """`kamal proxy upgrade`: kamal-proxy in Traefik's place, and the app behind it; hosts together or in turn."""
    hosts = context.selection.hosts
    async with lock.held(context):
        await _look_at_others(context)
        for group in [(host,) for host in hosts] if rolling else [hosts]:
            await _upgrade_proxies(context.on(group), group)


async def _look_at_others(context: Context) -> None:
    """Before any proxy is replaced: name the other apps that Traefik serves.

    Raises `KamalError` where projects that share a kamal-proxy would lose settings.
    """
    hosts = context.selection.proxy_hosts
    facts = await read_facts(context, hosts, proxy=True)
    refuse_losses(context, facts, hosts)
    for host in hosts:
        running = [each for each in facts[host].containers if each.running]
        apps = {each.service for each in running if each.role and each.service != context.config.service}
        if apps and any(each.name == "traefik" for each in running):
            text = f"Traefik goes away on {host}, and with it what it serves of {', '.join(sorted(apps))}"
            context.bus.say(f"{text}: upgrade these as well", Tone.WARNING)


async def _upgrade_proxies(context: Context, hosts: Sequence[str]) -> None:
    names = ",".join(hosts)
    context.bus.say(f"Upgrading proxy on {names}...")
    before, after = hook_phases(context, hosts)
    replaced = script(
        audit.step(context, "Rebooted proxy"),
        registry.login_steps(context),
        Step("remove Traefik", commands.remove_traefik()),
        Step("stop proxy", commands.container_stop(), of_proxy(Action.STOP)),
        Step("remove proxy container", commands.remove_container(), of_proxy(Action.REMOVE_CONTAINER)),
        # Ours may have come without a registry, and would have to be brought again.
        () if proxy_image.is_ours(context.config) else Step("remove proxy image", commands.remove_image()),
    )
    removal = Phase("remove old proxy", tuple(Task(host, "remove old proxy", replaced) for host in hosts))
    await context.execute(Plan("proxy upgrade", (*before, removal)))
    await proxy.boot(context)
    await app.boot(context)
    await prune.prune_all(context)
    await context.execute(Plan("proxy upgrade", after))
    context.bus.say(f"Upgraded proxy on {names}")
