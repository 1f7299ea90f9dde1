"""`kamal build dev`: an image of the working directory as it is, for this machine (spec/cli.md 15.5)."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.commands import builder, git
from pykamal.events import Bus, Tone
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import Phase, Plan
from pykamal.operations.images import build, builders
from pykamal.transport.local import LocalSession


async def dev(context: Context, *, output: str = "docker", no_cache: bool = False) -> None:
    """Build with `-dirty` tags, without login, hooks, clone or a new builder; what is not committed is warned of."""
    await builders.require_docker(context)
    build.require_dockerfile(context)
    if context.local_context.git_root is not None:
        await _warn_of_files(context)
    arch = await builders.local_architecture(context)
    task = build.build_task(context, arch, output=output, no_cache=no_cache, dirty=True)
    await context.execute(Plan("build dev", (Phase("build", (task,)),)))


async def _warn_of_files(context: Context) -> None:
    session = LocalSession(Bus())  # looking is no step of the build, so it is not shown
    listed, modified, untracked = [
        (await session.run(listing)).stdout.splitlines()
        for listing in (builder.list_context(), git.modified_files(), git.untracked_files())
    ]
    _warn(context, "Files with uncommitted changes", modified, listed)
    _warn(context, "Untracked files", untracked, listed)


def _warn(context: Context, what: str, files: Sequence[str], listed: Sequence[str]) -> None:
    included = set(listed)
    found = [f"  {file}" for file in files if file in included]
    if found:
        text = "\n".join([f"WARNING: {what} will be present in the dev container:", *found, ""])
        context.bus.say(text, Tone.WARNING)
