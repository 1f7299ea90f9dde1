"""The operator's Git work tree and the clone that images are built from (spec/cli.md 15.2)."""

from __future__ import annotations

import hashlib
import posixpath

from pykamal.commands.command import Command, command, query

# -- the work tree


def root() -> Command:
    """Print the top of the work tree. Fails outside one."""
    return query("git", "rev-parse", "--show-toplevel")


def revision(directory: str | None = None) -> Command:
    """Print the full hash of HEAD."""
    return query("git", *_in(directory), "rev-parse", "HEAD")


def uncommitted(directory: str | None = None) -> Command:
    """List what differs from HEAD, untracked files included; prints nothing for a clean tree."""
    return query("git", *_in(directory), "status", "--porcelain")


def latest_commits(count: int) -> Command:
    """Print full hash, tab, age and subject of each, the newest first."""
    return query("git", "log", f"--max-count={count}", "--format=%H%x09%cr: %s")


def modified_files() -> Command:
    """List tracked files of the working directory that differ from the index, one a line."""
    return query("git", "-c", "core.quotePath=false", "ls-files", "--modified")


def untracked_files() -> Command:
    """List files of the working directory that Git does not track, ignored ones too, one a line."""
    return query("git", "-c", "core.quotePath=false", "ls-files", "--others")


def user_name() -> Command:
    return query("git", "config", "user.name")


def user_email() -> Command:
    return query("git", "config", "user.email")


# -- the clone


def clone_directory(temporary_directory: str, service: str, working_directory: str) -> str:
    """Where the clone of a working directory is kept between builds."""
    digest = hashlib.sha256(working_directory.encode()).hexdigest()[:13]
    return f"{temporary_directory}/kamal-clones/{service}-{digest}"


def build_directory(clone: str, git_root: str, working_directory: str) -> str:
    """The working directory's place inside the clone; ends in a slash at the root of the repository."""
    relative = working_directory.removeprefix(git_root).lstrip("/")
    return f"{clone}/{posixpath.basename(git_root)}/{relative}"


def clone(git_root: str, directory: str) -> Command:
    """Clone into a folder of `directory`. Fails with "already exists and is not an empty directory" on an old clone."""
    return command("git", "-C", directory, "clone", git_root, "--recurse-submodules")


def reset(git_root: str, directory: str, to_revision: str) -> dict[str, Command]:
    """Bring an old clone to a revision: named steps, in order."""
    steps = {
        "point clone to repository": ("remote", "set-url", "origin", git_root),
        "fetch": ("fetch", "origin"),
        "reset clone": ("reset", "--hard", to_revision),
        "clean clone": ("clean", "-fdx"),
        "update submodules": ("submodule", "update", "--init"),
        "collect garbage": ("gc", "--auto", "--quiet"),
    }
    return {name: command("git", "-C", directory, *words) for name, words in steps.items()}


def _in(directory: str | None) -> list[str]:
    return [] if directory is None else ["-C", directory]
