"""Commands for the operator's Git work tree and the clone that images are built from (spec/cli.md 15.2).

A repository's own configuration can name programs: a file system monitor, a signature checker, a pager, hooks, the
transport to a remote that has missing objects. Looking at a repository must run none of them. `_read` and `_change`
make all Git calls of this tool and override such settings; a bare repository inside a work tree counts for nothing.
"""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import replace
from typing import Final

from pykamal.commands.command import Command, command, query
from pykamal.core.sensitive import encoded

_OPTIONS: Final = (
    "--no-pager",
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "log.showSignature=false"),
    *("-c", "core.fsmonitor=false"),
)
_READ_OPTIONS: Final = ("--no-optional-locks", *_OPTIONS, "-c", "core.hooksPath=/dev/null")
"""`--no-optional-locks` keeps `git status` from writing the index, after which a hook would run."""

_NO_TRANSPORT: Final = ("env", "GIT_ALLOW_PROTOCOL=", "GIT_NO_LAZY_FETCH=1")
"""Missing objects of a partial clone are not fetched: the repository would name the program that fetches them."""

# -- the work tree


def root() -> Command:
    """Print the top of the work tree. Fails outside one."""
    return _read("rev-parse", "--show-toplevel")


def revision(directory: str | None = None) -> Command:
    """Print the full hash of HEAD."""
    return _read(*_in(directory), "rev-parse", "HEAD")


def uncommitted(directory: str | None = None) -> Command:
    """List changes against HEAD, untracked files included; prints nothing for a clean tree."""
    return _read(*_in(directory), "status", "--porcelain")


def latest_commits(count: int) -> Command:
    """Print full hash, tab, age and subject of the latest commits, newest first."""
    return _read("log", f"--max-count={count}", "--format=%H%x09%cr: %s")


def modified_files() -> Command:
    """List tracked files of the working directory that differ from the index, one a line."""
    return _read("-c", "core.quotePath=false", "ls-files", "--modified")


def untracked_files() -> Command:
    """List files of the working directory that Git does not track, ignored ones too, one a line."""
    return _read("-c", "core.quotePath=false", "ls-files", "--others")


def user_name() -> Command:
    return _read("config", "user.name")


def user_email() -> Command:
    return _read("config", "user.email")


# -- what a search reads: without replacements, which would hide what is really there


def tracked_files(git_root: str) -> Command:
    """Print mode, blob, stage and path of each tracked file, each ended by NUL."""
    return _read("-C", git_root, "ls-files", "-z", "--stage")


def commit_of(reference: str) -> Command:
    """Print the full hash of the commit that a name stands for. Fails without such a commit."""
    return _read(
        "--no-replace-objects", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}"
    )


def is_shallow() -> Command:
    """Print `true` for a clone without the beginning of its history."""
    return _read("rev-parse", "--is-shallow-repository")


def objects_since(since: str | None) -> Command:
    """List commits, trees and blobs of HEAD's history that are not of `since`'s, each with its first path."""
    return _read("--no-replace-objects", "rev-list", "--objects", "HEAD", *([] if since is None else [f"^{since}"]))


def contents() -> Command:
    """Print each object that is named on standard input: a line with hash, type and size, and the bytes."""
    return _read("--no-replace-objects", "cat-file", "--batch")


def introducing(blob: str) -> Command:
    """Print the full hash of the latest commit that added or removed a blob."""
    return _read("--no-replace-objects", "log", "--max-count=1", "--format=%H", f"--find-object={blob}", "HEAD")


# -- the clone


def clone_directory(clones: str, service: str, working_directory: str) -> str:
    """Return the path of a working directory's clone, which is kept between builds."""
    digest = hashlib.sha256(encoded(working_directory)).hexdigest()[:13]
    return f"{clones}/{service}-{digest}"


def build_directory(clone: str, git_root: str, working_directory: str) -> str:
    """Return the working directory's path inside the clone; it ends in a slash at the root of the repository."""
    relative = working_directory.removeprefix(git_root).lstrip("/")
    return f"{clone}/{posixpath.basename(git_root)}/{relative}"


def clone(git_root: str, directory: str) -> Command:
    """Clone into a folder of `directory`. Fails with "already exists and is not an empty directory" on an old clone."""
    return _change("-C", directory, "clone", git_root, "--recurse-submodules")


def reset(git_root: str, directory: str, to_revision: str) -> dict[str, Command]:
    """Return named steps that bring an old clone to a revision."""
    steps = {
        "point clone to repository": ("remote", "set-url", "origin", git_root),
        "fetch": ("fetch", "origin"),
        "reset clone": ("reset", "--hard", to_revision),
        "clean clone": ("clean", "-fdx"),
        "update submodules": ("submodule", "update", "--init"),
        "collect garbage": ("gc", "--auto", "--quiet"),
    }
    return {name: _change("-C", directory, *words) for name, words in steps.items()}


def _in(directory: str | None) -> list[str]:
    return [] if directory is None else ["-C", directory]


# -- every call


def _read(*words: str) -> Command:
    return replace(query(*_NO_TRANSPORT, "git", *_READ_OPTIONS, *words), summary=_shown(words))


def _change(*words: str) -> Command:
    return replace(command("git", *_OPTIONS, *words), summary=_shown(words))


def _shown(words: tuple[str, ...]) -> str:
    """Return the line for display, without the options that every line has, as Ruby Kamal shows it."""
    return query("git", *words).display_text()
