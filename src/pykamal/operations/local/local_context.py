"""The operator's side of a run: Git commit, who deploys, when."""

from __future__ import annotations

import getpass
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pykamal.commands import git
from pykamal.commands.command import Command
from pykamal.commands.script import Step, script
from pykamal.config.models import Config
from pykamal.core.errors import KamalError, UnexpectedAnswer
from pykamal.operations.local.local_system import LocalSystem

if TYPE_CHECKING:
    from pykamal.transport.local import LocalSession

NOT_INSTALLED: Final = 127
"""Exit status of a shell that does not find the program."""

NO_COMMIT: Final = "HEAD"
"""The name that Git, and so Ruby Kamal, has for the commit of a repository that has none yet."""


@dataclass(frozen=True, slots=True)
class LocalContext:
    """Facts of this machine. `revision` is None outside a Git work tree.

    `changes` is `git status --porcelain` where uncommitted changes get into the image, else empty: looking for them
    takes long in a large repository, and runs the filter programs that the repository's configuration names.
    """

    directory: str
    git_root: str | None
    revision: str | None
    changes: str
    user_name: str
    performer: str
    environment_version: str | None
    clones: bool

    @property
    def version(self) -> str:
        """`VERSION` of the environment, else the commit (spec/config.md 18.1). Raises `KamalError` without either."""
        if self.environment_version:
            return self.environment_version
        if self.revision is None:
            raise KamalError(
                f"Can't use commit hash as version, no git repository found in {self.directory}",
                hint="run from the application's Git repository, with Git installed, or give --version",
            )
        if self.changes and not self.clones:
            return f"{self.revision}_uncommitted_{_SUFFIX}"
        return self.revision


_SUFFIX = secrets.token_hex(8)


async def read_local_context(local: LocalSession, config: Config) -> LocalContext:
    """Ask Git everything at once."""
    questions = [
        Step("work tree", git.root().failing_allowed()),
        Step("revision", git.revision().failing_allowed()),
        Step("user name", git.user_name().failing_allowed()),
        Step("user e-mail", git.user_email().failing_allowed()),
    ]
    if config.builder.context_given:
        questions.append(Step("uncommitted changes", git.uncommitted().failing_allowed()))
    results = await local.run_script(script(*questions), check=False)
    root, revision, name, email, *changes = (result.captured if result.ok else "" for result in results)
    return LocalContext(
        directory=str(Path.cwd()),
        git_root=_root(root),
        revision=_revision(revision) if root else None,
        changes=changes[0] if changes else "",
        user_name="Unknown" if results[0].exit_status == NOT_INSTALLED else name,  # spec/cli.md 8.1
        performer=email or getpass.getuser(),
        environment_version=os.environ.get("VERSION") or None,
        clones=bool(root) and not config.builder.context_given,
    )


def version_here(config: Config) -> str:
    """The version without a run: for commands that only tell it, and start faster for it. Raises `KamalError`."""
    system = LocalSystem()

    def output_of(command: Command) -> str:
        return system.run_shell(command.redirected("2>/dev/null").shell_text(), system.environment).strip()

    version = os.environ.get("VERSION") or None
    root = "" if version else output_of(git.root())
    clones = bool(root) and not config.builder.context_given
    return LocalContext(
        directory=str(Path.cwd()),
        git_root=_root(root),
        revision=_revision(output_of(git.revision())) if root else None,
        changes=output_of(git.uncommitted()) if root and not clones else "",
        user_name="",
        performer="",
        environment_version=version,
        clones=clones,
    ).version


def _root(text: str) -> str | None:
    """The top of the work tree from what Git printed."""
    try:
        found = not text or Path(text).is_dir()
    except (OSError, ValueError):
        found = False
    if not found:
        raise _unexpected("rev-parse --show-toplevel", text)
    return text or None


def _revision(text: str) -> str:
    """The commit from what Git printed."""
    if text and not re.fullmatch(r"[0-9a-f]{40,64}", text):
        raise _unexpected("rev-parse HEAD", text)
    return text or NO_COMMIT


def _unexpected(question: str, answer: str) -> UnexpectedAnswer:
    return UnexpectedAnswer(
        f"Git does not answer `git {question}` as it should",
        details=[f"it said: {answer[:200]}"],
        hint="run that command by hand: something else prints there, or another program is called git",
    )


def short_version(version: str) -> str:
    """The first 7 characters, or all of a version with an underscore (spec/cli.md 3.1)."""
    return version if "_" in version else version[:7]


def now() -> str:
    """The time as the lock, the audit log and hooks write it: `2026-11-22T00:30:57Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
