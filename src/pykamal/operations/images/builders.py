"""Finds, makes, removes and shows Docker's builders (spec/cli.md 15.1 and 15.5)."""

from __future__ import annotations

from typing import Final

from pykamal.commands import builder
from pykamal.commands.builder import Kind
from pykamal.commands.command import query
from pykamal.commands.script import Step, script
from pykamal.commands.subject import Action, of_app
from pykamal.core.errors import BuildError, DependencyError
from pykamal.events import Level, Result
from pykamal.operations.context import Context
from pykamal.operations.execution.hints import hint_of
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task

_MISSING: Final = ("context not found", "no builder", "no compatible builder", "does not exist")
"""Words of an inspection about a builder that has to be made (anew)."""


async def create(context: Context) -> None:
    """`kamal build create`. Raises `BuildError` for buildpacks, which bring their builder along."""
    arch = await local_architecture(context)
    kind = _tell_kind(context, arch)
    if kind is Kind.PACK:
        raise BuildError("Buildpacks have no builder to create", hint="run `kamal build push`, which needs none")
    phases = _create_phases(context, arch)
    if not phases:
        context.bus.log(f"Nothing to create: the driver {context.config.builder.driver} needs no builder")
    await context.execute(Plan("build create", phases))


async def remove(context: Context) -> None:
    """`kamal build remove`."""
    arch = await local_architecture(context)
    _tell_kind(context, arch)
    removed = builder.remove(context.config, arch)
    if removed is None:
        context.bus.log("Nothing to remove: no builder of its own is used")
        return
    task = Task(LOCAL, "remove builder", script(Step("remove builder", removed, of_app(Action.CREATE_BUILDER))))
    await context.execute(Plan("build remove", (Phase("builder", (task,)),)))


async def details(context: Context) -> None:
    """`kamal build details`: the kind of builder and what Docker says of it."""
    arch = await local_architecture(context)
    result = await context.local.run(builder.info(context.config, arch).quietly(), name="builder details")
    context.bus.emit(Result(text=f"Builder: {builder.kind(context.config, arch).value}\n{result.captured}"))


async def missing_phases(context: Context, arch: str | None) -> tuple[Phase, ...]:
    """The phases that make the builder; nothing when it is there and fits.

    Raises `CommandFailed` when that cannot be told.
    """
    inspection = builder.inspect(context.config, arch)
    if inspection is None:
        return ()
    result = await context.local.run(inspection, name="inspect builder", check=False)
    if result.ok:
        return ()
    output = f"{result.stdout}{result.stderr}".lower()
    if builder.kind(context.config, arch) is Kind.PACK or not any(text in output for text in _MISSING):
        failure = result.failure(None)
        failure.hint = hint_of(result, None)
        raise failure
    return _create_phases(context, arch, anew=True)


async def ensure(context: Context, arch: str | None) -> None:
    """Make the builder unless it is there and fits."""
    phases = await missing_phases(context, arch)
    if phases:
        context.bus.log("Missing compatible builder, so creating a new one first", Level.WARN)
    await context.execute(Plan("build create", phases))


async def local_architecture(context: Context) -> str | None:
    """This machine's, which counts only with a remote builder."""
    if context.config.builder.remote is None:
        return None
    result = await context.local.run(builder.local_architecture(), name="local architecture")
    return builder.architecture(result.captured)


def is_remote(context: Context, arch: str | None) -> bool:
    """True if another machine takes part in building."""
    return builder.kind(context.config, arch) in (Kind.REMOTE, Kind.HYBRID)


def _create_phases(context: Context, arch: str | None, *, anew: bool = False) -> tuple[Phase, ...]:
    """`anew` removes what is left of an old builder first."""
    created = builder.create(context.config, arch)
    if created is None:
        return ()
    removed = builder.remove(context.config, arch) if anew else None
    steps = [] if removed is None else [Step("remove old builder", removed.failing_allowed())]
    steps.append(Step("create builder", created, of_app(Action.CREATE_BUILDER)))
    phases = [Phase("builder", (Task(LOCAL, "create builder", script(steps)),))]
    host = context.config.builder.remote_host
    if host is not None and is_remote(context, arch):
        # Docker's own ssh asks nobody: the host's key must be known by then.
        reach = Task(host, "reach builder host", script(Step("reach builder host", query("true"))))
        phases.insert(0, Phase("reach builder host", (reach,)))
    return tuple(phases)


def _tell_kind(context: Context, arch: str | None) -> Kind:
    kind = builder.kind(context.config, arch)
    context.bus.log(f"Using builder: {kind.value}", Level.DEBUG)
    return kind


async def require_docker(context: Context) -> None:
    """Raises `DependencyError` when Docker or its buildx plugin is missing here."""
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
