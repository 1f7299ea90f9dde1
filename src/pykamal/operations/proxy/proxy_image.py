"""Builds the image of pykamal's proxy and brings it to the hosts that lack it (`kamal proxy build`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pykamal.commands import proxy_image as commands
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_proxy
from pykamal.core.answers import json_object
from pykamal.core.errors import BuildError, KamalError, UnexpectedAnswer
from pykamal.core.private_directories import make_private, user_cache
from pykamal.operations.context import Context
from pykamal.operations.execution.fanout import run_all
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task
from pykamal.operations.hosts import audit
from pykamal.operations.hosts.facts import HostFacts
from pykamal.operations.hosts.projection import engine_pending
from pykamal.operations.hosts.reading import capture
from pykamal.operations.images import registry


@dataclass(frozen=True, slots=True)
class Build:
    """An image as its builder describes it, whether it is there yet or not; `path` is a file of this machine."""

    path: str
    revision: str
    architecture: str


@dataclass(frozen=True, slots=True)
class _ImageFacts:
    """The revision of the image that a host has under the name, if any, and its engine's architecture.

    The architecture is None for an engine that is not installed yet.
    """

    revision: str
    architecture: str | None


async def build(context: Context) -> None:
    """Have our proxy's image, as it is made of today's packages and sources, on every proxy host.

    Where `proxy/run/registry` names a registry it is pushed there and pulled by the hosts; else it is sent to each.
    Raises `BuildError` where this machine cannot build it, or not for the hosts' architecture.
    """
    images = {host: commands.ours(context.config, host) for host in context.selection.proxy_hosts}
    if not images:
        raise KamalError("No host runs the proxy", hint="check --hosts and --roles")
    described: list[Build] = []
    facts: dict[str, _ImageFacts] = {}

    async def describe() -> None:
        described.append(await _describe(context, images))

    async def look() -> None:
        facts.update(await _look(context, images))

    await run_all(describe(), look())
    lacking = [host for host in images if facts[host].revision != described[0].revision]
    if not lacking:
        context.bus.say("Every host has the proxy's image already.")
        return
    _check_architecture(described[0], facts)
    await context.execute(build_plan(context, described[0], images, lacking))


async def ensure_proxy_image(context: Context, facts: Mapping[str, HostFacts]) -> None:
    """Bring the image to new hosts, before their first proxy is made: those without a proxy and any image for it.

    Where a registry has the image, the hosts pull it by themselves.
    """
    if not commands.is_ours(context.config):
        return
    names = {host: commands.ours(context.config, host) for host in context.selection.proxy_hosts}
    images = {
        host: name for host, name in names.items() if facts[host].proxy is None and not commands.has_registry(name)
    }
    image_facts = await _look(context, images)
    lacking = [host for host in images if image_facts[host].revision == commands.NO_REVISION]
    if lacking:
        context.bus.say(f"Bring the proxy's image to {', '.join(lacking)}...")
        described = await _describe(context, images)
        _check_architecture(described, image_facts)
        await context.execute(build_plan(context, described, images, lacking))


def build_plan(context: Context, image: Build, images: Mapping[str, str], lacking: Sequence[str]) -> Plan:
    """Build where it is not built yet, then bring it to the hosts that are `lacking`.

    `images` are the names by which hosts know it; it gets them all.
    """
    names = tuple(dict.fromkeys(images.values()))
    pushed = tuple(name for name in dict.fromkeys(images[host] for host in lacking) if commands.has_registry(name))
    sent = [host for host in lacking if images[host] not in pushed]
    pulled = [host for host in lacking if images[host] in pushed]
    steps: list[Step] = []
    if not Path(image.path).exists():
        steps.append(Step("build proxy image", commands.build(cache_directory(), names)))
    if sent and not Path(f"{image.path}.gz").exists():
        steps.append(Step("compress proxy image", commands.compress(image.path)))
    local = Task(LOCAL, "build proxy image", script(steps), shown=True)
    phases = [Phase("build proxy image", (local,) if steps else ())]
    if pulled:
        push = script(
            Step("load proxy image", commands.load(image.path)),
            registry.login_steps(context),
            *(Step("push proxy image", commands.push(name), of_proxy(Action.PULL)) for name in pushed),
        )
        phases.append(Phase("push proxy image", (Task(LOCAL, "push proxy image", push),)))
    tasks = (
        *(task for host in sent for task in _sending(context, host, image)),
        *(_pulling(context, host, images[host]) for host in pulled),
    )
    return Plan("proxy build", (*phases, Phase("bring proxy image", tasks)))


def _sending(context: Context, host: str, image: Build) -> tuple[Task, Task]:
    load = script(Step("load proxy image", commands.load()))
    note = script(audit.step(context, "Loaded proxy image"))
    return Task(host, "load proxy image", load, input=f"{image.path}.gz"), Task(host, "audit", note)


def _pulling(context: Context, host: str, name: str) -> Task:
    steps = script(
        registry.login_steps(context),
        audit.step(context, "Pulled proxy image"),
        Step("pull proxy image", commands.pull(name), of_proxy(Action.PULL)),
    )
    return Task(host, "pull proxy image", steps)


def cache_directory() -> str:
    """Return the directory of images that were built on this machine. Raises `UnsafeDirectory`."""
    return str(make_private(user_cache("proxy")))


async def _describe(context: Context, images: Mapping[str, str]) -> Build:
    names = tuple(dict.fromkeys(images.values()))
    line = commands.describe(cache_directory(), names)
    result = await context.local.run(line, name="describe proxy image", check=False)
    if not result.ok:
        raise BuildError(
            "This machine cannot build the proxy's image",
            details=result.stderr.splitlines(),
            hint="run `kamal proxy build` on a Debian 12 machine (or in such a container), as any user",
        )
    described = json_object(result.stdout)
    path, revision, architecture = (described.get(name) for name in ("path", "revision", "architecture"))
    if not (isinstance(path, str) and isinstance(revision, str) and isinstance(architecture, str)):
        raise UnexpectedAnswer(
            "The builder of the proxy's image did not describe it",
            details=[f"command: {line.display_text()}", f"it said: {result.captured[:80]}"],
            hint="run that command by hand, to see what else prints there",
        )
    return Build(path, revision, architecture)


async def _look(context: Context, images: Mapping[str, str]) -> dict[str, _ImageFacts]:
    facts = {
        host: _ImageFacts(commands.NO_REVISION, None)
        for host in images
        if engine_pending(context.executor.pending(host))
    }
    asked = [host for host in images if host not in facts]
    read = await capture(context, asked, lambda host: [("proxy image", commands.revision(images[host]))])
    for host, results in read.items():
        revision, _, architecture = results[-1].captured.partition("\n")
        facts[host] = _ImageFacts(revision, architecture)
    return facts


def _check_architecture(image: Build, facts: Mapping[str, _ImageFacts]) -> None:
    fitting = (image.architecture, None)
    others = [f"{host}: {each.architecture}" for host, each in facts.items() if each.architecture not in fitting]
    if others:
        raise BuildError(
            f"The proxy's image is built for {image.architecture} here, which not all hosts are",
            details=tuple(others),
            hint="build it on a machine of the hosts' kind, for all others with --hosts",
        )
