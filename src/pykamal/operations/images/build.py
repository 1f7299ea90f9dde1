"""Builds images on this machine and pushes them to the registry (spec/cli.md 15.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from pykamal.commands import builder
from pykamal.commands.hooks import PRE_BUILD
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_app
from pykamal.core.errors import BuildError
from pykamal.operations.context import Context
from pykamal.operations.execution import hooks, preflight
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task
from pykamal.operations.images import builders, clone, pull, registry, secret_guard
from pykamal.operations.images.port_forwarding import forwarded


async def deliver(
    context: Context,
    *,
    skip_push: bool = False,
    no_cache: bool = False,
    boots_proxy: bool = False,
    meanwhile: Callable[[Context], Awaitable[None]] | None = None,
) -> None:
    """Build and push unless told not to, then pull on all app hosts.

    A host that is not ready ends the build at once. `boots_proxy` tells that the caller will start the proxy, and
    `meanwhile` is what it checks of the hosts that are ready while the image is built.
    """
    await secret_guard.refuse_leaks_of_project(context)
    checks = preflight.host_check(context, boots_proxy=boots_proxy)
    if skip_push:
        await _refuse_leaks_of_pushed(context)
        await pull.pull_after(context, (checks,))
        return

    async def check() -> None:
        await context.execute(Plan("check hosts", (checks,)))
        if meanwhile is not None:
            await meanwhile(context)

    if secret_guard.is_on(context):  # no host is touched before the image is known to be clean
        await push(context, no_cache=no_cache)
        await check()
    else:
        await context.executor.run_all(check(), push(context, no_cache=no_cache))
    await pull.pull_after(context, ())


async def push(context: Context, *, output: str = "registry", no_cache: bool = False) -> None:
    """Build from a clean clone of the commit (or from the context that deploy.yml names) and push."""
    await secret_guard.refuse_leaks_of_project(context)
    await context.fleet.before_connecting()
    _require_dockerfile_unless_hooked(context)
    await builders.require_docker(context)
    arch = await builders.local_architecture(context)
    await context.execute(Plan("build push", _first_phases(context, arch)))
    await context.executor.beside(partial(_require_dockerfile_by_now, context))
    await clone.prepare(context)
    async with _registry_in_reach_of_builder(context, arch):
        await builders.ensure(context, arch)
        task = build_task(context, arch, output=output, no_cache=no_cache)
        await context.execute(Plan("build push", (Phase("build", (task,)),)))
    if output == "registry":
        await _refuse_leaks_of_pushed(context)


async def _refuse_leaks_of_pushed(context: Context) -> None:
    """Search the image as the registry has it. A remote builder does not leave it here, nor this machine logged in."""
    if secret_guard.is_on(context):
        await builders.require_docker(context)
        await context.execute(Plan("build pull", _registry(context)))
        await secret_guard.refuse_leaks_of_image(context)


def require_dockerfile(context: Context) -> None:
    """Looked for in the working directory, also when a clone is built (spec/cli.md 22, 23). Raises `BuildError`."""
    config = context.config.builder
    if config.pack is None and not Path(config.dockerfile).is_file():
        raise BuildError(
            f"Missing {config.dockerfile}",
            hint="write a Dockerfile, or name the one to use in builder/dockerfile",
            label="Kamal::Commands::Builder::Base::BuilderError",
        )


def _require_dockerfile_unless_hooked(context: Context) -> None:
    """Early, unless a hook may still write it."""
    if hooks.phase(context, PRE_BUILD) is None:
        require_dockerfile(context)


async def _require_dockerfile_by_now(context: Context) -> None:
    require_dockerfile(context)


def build_task(context: Context, arch: str | None, *, output: str, no_cache: bool = False, dirty: bool = False) -> Task:
    """Build the clone, or the working directory itself when it is to be built `dirty`. Raises `SecretNotFound`."""
    secrets = {name: context.secrets[name] for name in context.config.builder.secrets}
    build = builder.push(
        context.config,
        context.version,
        local_arch=arch,
        output=output,
        no_cache=no_cache,
        dirty=dirty,
    )
    title = "build and push image" if output == "registry" else "build image"
    return Task(
        LOCAL,
        title,
        script(Step(title, build, of_app(Action.BUILD))),
        environment=builder.push_environment(context.config, secrets, arch),
        directory="." if dirty else clone.build_directory(context),
        shown=True,
    )


def _first_phases(context: Context, arch: str | None) -> tuple[Phase, ...]:
    """The registry, then the hook. A remote builder does not push with this machine's login."""
    ready = _registry(context) if context.config.registry.local or not builders.is_remote(context, arch) else ()
    hook = hooks.phase(context, PRE_BUILD)
    return (*ready, *(() if hook is None else (hook,)))


def _registry(context: Context) -> tuple[Phase, ...]:
    steps = registry.start_steps(context) or registry.login_steps(context)
    return (Phase(steps[0].name, (Task(LOCAL, steps[0].name, script(steps)),)),) if steps else ()


@asynccontextmanager
async def _registry_in_reach_of_builder(context: Context, arch: str | None) -> AsyncIterator[None]:
    """A registry of this machine has to be one of the builder's machine too."""
    port, host = context.config.registry.local_port, context.config.builder.remote_host
    if port is None or host is None or not builders.is_remote(context, arch):
        yield
        return
    async with context.executor.around(forwarded(context, port, [host]), None):
        yield
