"""Images: built here, pushed to the registry, pulled on the hosts (spec/cli.md 15)."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from pykamal.commands import builder, docker, files, git
from pykamal.commands import registry as registry_commands
from pykamal.commands.command import command, query
from pykamal.commands.script import Step, script
from pykamal.commands.words import Output
from pykamal.core.errors import BuildError, DependencyError
from pykamal.core.sensitive import Sensitive
from pykamal.events import Result, Tone
from pykamal.operations import audit, hooks, planning, registry, requirements
from pykamal.operations.context import Context
from pykamal.operations.executor import execute
from pykamal.operations.fanout import together
from pykamal.operations.plan import LOCAL, Phase, Plan, Task
from pykamal.operations.reading import capture


async def deliver(
    context: Context, *, skip_push: bool = False, no_cache: bool = False, boots_proxy: bool = False
) -> None:
    """Build and push unless told not to, then pull on all app hosts.

    A host that is not ready ends the build at once. `boots_proxy` tells that the caller will start the proxy.
    """
    checks = requirements.host_check(context, boots_proxy=boots_proxy)
    if skip_push:
        context.bus.say("Pull app image...")
        await _pull(context, (checks,))
    else:
        context.bus.say("Build and push app image...")
        await together(push(context, no_cache=no_cache), execute(Plan("check hosts", (checks,)), context))
        await _pull(context, ())


# -- build and push


async def push(context: Context, *, output: str = "registry", no_cache: bool = False) -> None:
    """Build from a clean clone of the commit (or from the context that deploy.yml names) and push."""
    await context.fleet.before_connecting()
    await _check_docker(context)
    _warn_of_changes(context)
    plan = await push_plan(context, output=output, no_cache=no_cache)
    if context.settings.plan_only:
        planning.show(context, plan)
        return
    await execute(plan, context)


async def push_plan(context: Context, *, output: str = "registry", no_cache: bool = False) -> Plan:
    """Raises `BuildError` when there is no Dockerfile."""
    config = context.config
    if config.builder.pack is None and not Path(config.builder.dockerfile).is_file():
        error = BuildError(
            f"Missing {config.builder.dockerfile}",
            hint="write a Dockerfile, or name the one to use in builder/dockerfile",
        )
        error.label = "Kamal::Commands::Builder::Base::BuilderError"
        raise error
    arch = await _local_architecture(context)
    phases = [
        *_registry_phase(context, arch),
        *_present(hooks.phase(context, "pre-build")),
        *_clone_phase(context),
        *_builder_phase(context, arch),
        Phase("build", (_build_task(context, arch, output=output, no_cache=no_cache),)),
    ]
    return Plan("build push", tuple(phases))


async def _check_docker(context: Context) -> None:
    result = await context.local.run(builder.check_docker(), name="check Docker", check=False)
    if result.ok:
        return
    missing = "not found" in result.stderr and "buildx" not in result.stderr
    what = "Docker is" if missing else "Docker buildx plugin is"
    raise DependencyError(
        f"{what} not installed locally",
        details=result.stderr.splitlines(),
        hint="install Docker with its buildx plugin on this machine, or deploy a pushed image with --skip-push",
    )


async def _local_architecture(context: Context) -> str | None:
    if context.config.builder.remote is None:
        return None
    result = await context.local.run(builder.local_architecture(), name="local architecture")
    return builder.architecture(result.captured)


def _warn_of_changes(context: Context) -> None:
    changes = context.workplace.changes
    if not changes:
        return
    if context.workplace.clones:
        text = f"Building from a local git clone, so ignoring these uncommitted changes:\n {changes}"
    else:
        text = f"Building with uncommitted changes:\n {changes}"
    context.bus.say(text, Tone.WARNING)


def _present(phase: Phase | None) -> tuple[Phase, ...]:
    return () if phase is None else (phase,)


def _registry_phase(context: Context, arch: str | None) -> Iterator[Phase]:
    config = context.config
    port = config.registry.local_port
    if port is not None:
        steps = script(Step("start registry", registry_commands.start_local(port)))
        yield Phase("local registry", (Task(LOCAL, "start registry", steps),))
    elif builder.kind(config, arch) not in (builder.Kind.REMOTE, builder.Kind.HYBRID):
        steps = script(registry.login_steps(context))
        yield Phase("registry login", (Task(LOCAL, "registry login", steps),))


def build_directory(context: Context) -> str:
    """Where the image is built: the clone's folder, or here."""
    workplace = context.workplace
    if not workplace.clones or workplace.git_root is None:
        return "."
    return git.build_directory(_clone_root(context), workplace.git_root, workplace.directory)


def _clone_root(context: Context) -> str:
    return git.clone_directory(tempfile.gettempdir(), context.config.service, context.workplace.directory)


def _clone_phase(context: Context) -> Iterator[Phase]:
    """Bring the clone to the commit; an old one is reset, and made anew where that does not end well (15.2)."""
    workplace = context.workplace
    if not workplace.clones or workplace.git_root is None or workplace.revision is None:
        return
    root = _clone_root(context)
    directory = git.build_directory(root, workplace.git_root, workplace.git_root)
    fresh = command("rm", "-rf", root).and_(files.make_directory(root)).and_(git.clone(workplace.git_root, root))
    if Path(directory, ".git").exists():
        announcement = f"Resetting local clone as `{directory}` already exists..."
        reset, *others = git.reset(workplace.git_root, directory, workplace.revision)
        for other in others:
            reset = reset.and_(other)
        prepare = reset.grouped().or_(fresh.grouped())
    else:
        announcement = f"Cloning repo into build directory `{build_directory(context)}`..."
        prepare = fresh
    clean = query("test", "-z", Output(git.uncommitted(directory)))
    expected = query("test", Output(git.revision(directory)), "=", workplace.revision)
    steps = script(
        Step("prepare clone", prepare),
        Step("clone is clean", clean),
        Step("clone is at the commit", expected),
    )
    yield Phase("clone", (Task(LOCAL, "clone", steps),), (announcement,))


def _builder_phase(context: Context, arch: str | None) -> Iterator[Phase]:
    """Make the builder unless it is there and fits."""
    inspect = builder.inspect(context.config, arch)
    if inspect is None:
        return
    ensure = inspect.redirected("> /dev/null")
    if builder.kind(context.config, arch) is not builder.Kind.PACK:
        create = builder.create(context.config, arch)
        remove = builder.remove(context.config, arch)
        if create is not None:
            anew = create if remove is None else remove.redirected("2> /dev/null").then(create)
            ensure = ensure.or_(anew.grouped())
    yield Phase("builder", (Task(LOCAL, "ensure builder", script(Step("ensure builder", ensure))),))


def _build_task(context: Context, arch: str | None, *, output: str, no_cache: bool) -> Task:
    secrets = {name: context.secrets[name] for name in context.config.builder.secrets}
    build = builder.push(
        context.config,
        context.version,
        local_arch=arch,
        output=output,
        no_cache=no_cache,
        secrets=secrets,
    )
    environment: dict[str, str | Sensitive] = {**secrets, **builder.push_environment(context.config, arch)}
    return Task(
        LOCAL,
        "build and push image",
        script(Step("build and push image", build)),
        environment=environment,
        directory=build_directory(context),
        shown=True,
    )


async def details(context: Context) -> None:
    """`kamal build details`: the kind of builder and what Docker says of it."""
    arch = await _local_architecture(context)
    context.bus.emit(Result(text=f"Builder: {builder.kind(context.config, arch).value}"))
    result = await context.local.run(builder.info(context.config, arch), name="builder details")
    context.bus.emit(Result(text=result.captured))


# -- pull


async def pull(context: Context) -> None:
    """Pull on all app hosts; with registry mirrors, one host a mirror pulls first (spec/cli.md 15.4)."""
    await _pull(context, (requirements.host_check(context, boots_proxy=False),))


async def _pull(context: Context, checks: tuple[Phase, ...]) -> None:
    checking = Plan("build pull", checks)
    if context.settings.plan_only:
        planning.show(context, checking + pull_plan(context, await _mirrors(context)))
        return
    mirrors: dict[str, str] = {}
    if len(context.targets.app_hosts) > 1:

        async def ask() -> None:
            mirrors.update(await _mirrors(context))

        await together(execute(checking, context), ask())
        checking = Plan("build pull", ())
    async with _local_registry_forwarded(context):
        await execute(checking + pull_plan(context, mirrors), context)


def pull_plan(context: Context, mirrors: Mapping[str, str] | None = None) -> Plan:
    hosts = context.targets.app_hosts
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
        Step("pull image", docker.pull(image)),
        Step("check service label", docker.inspect_label(context.config, image)),
    )
    return tuple(Task(host, "pull image", steps) for host in hosts)


async def _mirrors(context: Context) -> dict[str, str]:
    """The first registry mirror of each host that has one; a lone host has nobody to seed it for.

    `docker info` is slow, and hosts of one service are set up alike: the others are asked when the first has a mirror.
    """
    first, *others = context.targets.app_hosts or ("",)
    if not others:
        return {}
    mirrors = await _mirrors_of(context, [first])
    return mirrors | await _mirrors_of(context, others) if mirrors else {}


async def _mirrors_of(context: Context, hosts: Sequence[str]) -> dict[str, str]:
    found = await capture(context, hosts, lambda _: [("registry mirrors", docker.mirrors())])
    return {host: found[host][-1].captured for host in hosts if found[host][-1].captured}


@asynccontextmanager
async def _local_registry_forwarded(context: Context) -> AsyncIterator[None]:
    """Make a registry of this machine appear on every host while the block runs (spec/cli.md 15.6)."""
    port = context.config.registry.local_port
    async with AsyncExitStack() as stack:
        if port is not None:
            context.bus.say(f"Setting up local registry port forwarding to {', '.join(context.targets.hosts)}...")
            for host in context.targets.hosts:
                session = await context.fleet.session(host)
                await stack.enter_async_context(session.forward_remote_port(port, port))
        yield
