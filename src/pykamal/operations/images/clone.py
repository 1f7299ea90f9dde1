"""Makes the clone of the operator's repository that images are built from (spec/cli.md 15.2)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pykamal.commands import git, host_files
from pykamal.commands.command import command
from pykamal.commands.script import Step, script
from pykamal.core.errors import BuildError, CommandFailed
from pykamal.core.private_directories import check_private, make_private, user_cache
from pykamal.events import Level, Tone
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task
from pykamal.operations.local.local_context import NO_COMMIT


def build_directory(context: Context) -> str:
    """Return the directory of the build: the working directory's place in the clone, or here."""
    local_context = context.local_context
    if not local_context.clones or local_context.git_root is None:
        return "."
    return git.build_directory(_folder(context), local_context.git_root, local_context.directory)


def phases(context: Context, *, anew: bool = False) -> tuple[Phase, ...]:
    """Bring the clone to the commit: an old one is reset, unless it is to be made `anew`; none without a clone.

    Raises `BuildError` for a repository without a commit, `UnsafeDirectory` where other users could change the clone.
    """
    local_context = context.local_context
    if not local_context.clones or local_context.git_root is None or local_context.revision is None:
        return ()
    _require_commit(context)
    folder, clone = _folder(context), _clone(context)
    check_private(Path(folder))
    if _reusable(context) and not anew:
        resets = git.reset(local_context.git_root, clone, local_context.revision)
        steps = [Step(name, reset) for name, reset in resets.items()]
    else:
        remains = [Step("remove old clone", command("rm", "-rf", folder))] if Path(folder).exists() else []
        steps = [
            *remains,
            Step("make clone directory", host_files.make_directory(folder, mode="0700")),
            Step("clone repository", git.clone(local_context.git_root, folder)),
        ]
    return (Phase("clone", (Task(LOCAL, "clone", script(steps)),)),)


async def prepare(context: Context) -> None:
    """Warn of changes that are not committed; make the clone, a second time when the first does not end well.

    Raises `BuildError`, and `UnsafeDirectory` where other users of this machine could change the clone.
    """
    await _warn_of_changes(context)
    if not context.local_context.clones:
        return
    _require_commit(context)
    await context.executor.beside(_make_cache)
    try:
        await _make(context)
    except BuildError as error:
        context.bus.log(f"Error preparing clone: {error.message}, deleting and retrying...", Level.ERROR)
        await _make(context, anew=True)


async def _make_cache() -> None:
    make_private(user_cache("clones"))


async def _make(context: Context, *, anew: bool = False) -> None:
    directory = build_directory(context)
    if _reusable(context) and not anew:
        context.bus.log(f"Resetting local clone as `{directory}` already exists...")
    else:
        context.bus.log(f"Cloning repo into build directory `{directory}`...")
    try:
        await context.execute(Plan("build clone", phases(context, anew=anew)))
    except CommandFailed as error:
        raise _problem(f"Failed to clone repo: {error.message}", error) from error
    await context.executor.beside(partial(_check, context))


async def _check(context: Context) -> None:
    """A clone with litter, or of another commit, would build something else than what is deployed."""
    directory, expected = build_directory(context), context.local_context.revision
    try:
        changes = await context.local.run(git.uncommitted(directory), name="clone is clean")
        revision = await context.local.run(git.revision(directory), name="clone is at the commit")
    except CommandFailed as error:
        raise _problem(f"Failed to validate clone: {error.message}", error) from error
    if changes.captured:
        raise _problem(f"Clone in {directory} is dirty, {changes.captured}")
    if revision.captured != expected:
        raise _problem(
            f"Clone in {directory} is not on the correct revision, expected `{expected}` but got `{revision.captured}`"
        )


def _require_commit(context: Context) -> None:
    if context.local_context.revision == NO_COMMIT:
        raise BuildError(
            f"The Git repository in {context.local_context.git_root} has no commit yet",
            hint="make a first commit (git add, git commit), or build the working directory with builder/context: .",
        )


def _problem(message: str, cause: CommandFailed | None = None) -> BuildError:
    return BuildError(
        message,
        details=cause.details if cause is not None else (),
        hint=f"check that the repository is whole (git fsck) and {user_cache('clones')} writable, "
        "or build from the working directory with builder/context: .",
    )


async def _warn_of_changes(context: Context) -> None:
    """As they are now: the pre-build hook may have changed files."""
    if context.local_context.git_root is None:
        return
    changes = (await context.local.run(git.uncommitted().quietly(), name="uncommitted changes")).captured
    if changes:
        clones = context.local_context.clones
        what = "Building from a local git clone, so ignoring these" if clones else "Building with"
        context.bus.say(f"{what} uncommitted changes:\n {changes}", Tone.WARNING)


def _reusable(context: Context) -> bool:
    return Path(_clone(context), ".git").exists()


def _clone(context: Context) -> str:
    root = context.local_context.git_root or ""
    return git.build_directory(_folder(context), root, root)


def _folder(context: Context) -> str:
    """The clone is below it, by the repository's own name."""
    return git.clone_directory(str(user_cache("clones")), context.config.service, context.local_context.directory)
