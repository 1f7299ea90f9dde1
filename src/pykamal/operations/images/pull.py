"""Pulls images on the hosts (spec/cli.md 15.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from pykamal.commands import docker
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_app
from pykamal.operations.context import Context
from pykamal.operations.execution import preflight
from pykamal.operations.execution.plan import Phase, Plan, Task
from pykamal.operations.hosts import audit
from pykamal.operations.hosts.projection import engine_pending
from pykamal.operations.hosts.reading import capture
from pykamal.operations.images import registry
from pykamal.operations.images.port_forwarding import forwarded


async def pull(context: Context) -> None:
    """Pull on all app hosts; with registry mirrors, one host a mirror pulls first."""
    await pull_after(context, (preflight.host_check(context, boots_proxy=False),))


async def pull_after(context: Context, checks: tuple[Phase, ...]) -> None:
    """Pull after `checks` of the hosts."""
    checking = Plan("build pull", checks)
    mirrors: dict[str, str] = {}
    if len(context.selection.app_hosts) > 1 and context.config.registry.docker_hub:

        async def ask() -> None:
            mirrors.update(await _mirrors(context))

        await context.executor.run_all(context.execute(checking), ask())
        checking = Plan("build pull", ())
    async with _registry_in_reach(context):
        await context.execute(checking + pull_plan(context, mirrors))


def pull_plan(context: Context, mirrors: Mapping[str, str] | None = None) -> Plan:
    """`mirrors` are the registry mirrors of the hosts that have one."""
    hosts = context.selection.app_hosts
    by_mirror: dict[str, str] = {}
    for host, mirror in (mirrors or {}).items():
        by_mirror.setdefault(mirror, host)
    seeds = tuple(by_mirror.values())
    rest = tuple(host for host in hosts if host not in seeds)
    phases = []
    if seeds:
        noun = "mirror" if len(seeds) == 1 else "mirrors"
        announcement = f"Pulling image on {', '.join(seeds)} to seed the {noun}..."
        phases.append(Phase("seed mirrors", _pull_tasks(context, seeds), (announcement,)))
    if rest:
        announcements = ("Pulling image on remaining hosts...",) if seeds else ()
        phases.append(Phase("pull", _pull_tasks(context, rest), announcements))
    return Plan("build pull", tuple(phases))


def _pull_tasks(context: Context, hosts: tuple[str, ...]) -> tuple[Task, ...]:
    image = context.config.absolute_image(context.version)
    # Ruby Kamal removes the image first, so that a pull that fails leaves a host without it (spec/cli.md 15.4).
    steps = script(
        registry.login_steps(context),
        audit.step(context, f"Pulled image with version {context.version}"),
        Step("pull image", docker.pull(image), of_app(Action.PULL)),
        Step("check service label", docker.inspect_label(context.config, image), of_app(Action.CHECK_IMAGE)),
    )
    return tuple(Task(host, "pull image", steps) for host in hosts)


async def _mirrors(context: Context) -> dict[str, str]:
    """The first registry mirror of each host that has one; a lone host has nobody to seed it for.

    `docker info` is slow, and hosts of one service are set up alike: the others are asked when the first has a mirror.
    """
    first, *others = context.selection.app_hosts or ("",)
    if not others:
        return {}
    mirrors = await _mirrors_of(context, [first])
    return mirrors | await _mirrors_of(context, others) if mirrors else {}


async def _mirrors_of(context: Context, hosts: Sequence[str]) -> dict[str, str]:
    asked = [host for host in hosts if not engine_pending(context.executor.pending(host))]
    answers = await capture(context, asked, lambda _: [("registry mirrors", docker.mirrors())])
    return {host: mirror for host, results in answers.items() if (mirror := results[-1].captured)}


@asynccontextmanager
async def _registry_in_reach(context: Context) -> AsyncIterator[None]:
    port = context.config.registry.local_port
    if port is None:
        yield
        return
    async with context.executor.around(forwarded(context, port, context.selection.hosts), None):
        yield
