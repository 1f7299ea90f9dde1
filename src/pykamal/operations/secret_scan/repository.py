"""Reads a Git repository for a search: its tracked files, and the objects of its history. Nothing of it is run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pykamal.commands import git
from pykamal.commands.command import Command
from pykamal.core.errors import KamalError
from pykamal.transport.program import Reading, reading

_MOST_LISTED: Final = 256 * 1024 * 1024
"""Bytes of a list of files or objects."""

_LONGEST_LINE: Final = 64 * 1024
_SKIPPED: Final = 1024 * 1024


class GitFailed(KamalError):
    """Git does not answer. The message says what it complained of."""


@dataclass(frozen=True, slots=True)
class TrackedFile:
    """`mode` is that of Git: `120000` for a symbolic link, `160000` for a submodule."""

    mode: str
    blob: str
    path: bytes


@dataclass(frozen=True, slots=True)
class Blob:
    """A version of a file, by its hash. `path` is one that it has or had."""

    identifier: str
    path: bytes


def work_tree() -> str | None:
    """Return the top of the work tree, None outside of one."""
    try:
        return _output(git.root()).decode("utf-8", "surrogateescape").strip("\n") or None
    except GitFailed:
        return None


def tracked_files(root: str) -> Iterator[TrackedFile]:
    for entry in _output(git.tracked_files(root)).split(b"\0"):
        about, _, path = entry.partition(b"\t")
        words = about.decode("ascii", "replace").split()
        if path and len(words) == 3:
            yield TrackedFile(words[0], words[1], path)


def commit_of(reference: str) -> str | None:
    try:
        return _output(git.commit_of(reference)).decode().strip() or None
    except (GitFailed, ValueError):
        return None


def is_shallow() -> bool:
    return _output(git.is_shallow()).strip() == b"true"


def objects_since(since: str | None) -> list[Blob]:
    """Return commits, trees and blobs of the history behind a commit; all of the history without one."""
    found = []
    for line in _output(git.objects_since(since)).split(b"\n"):
        identifier, _, path = line.partition(b" ")
        if re.fullmatch(rb"[0-9a-f]{40,64}", identifier):
            found.append(Blob(identifier.decode(), path))
    return found


def introducing(blob: str) -> str | None:
    """Return the commit that a blob came with, or went with."""
    try:
        return _output(git.introducing(blob)).decode("ascii", "replace").strip() or None
    except GitFailed:
        return None


@dataclass
class StoredObject:
    """An object of Git that is being read. `kind` is `blob`, `commit`, `tree` or `tag`; None if missing."""

    blob: Blob
    kind: str | None
    size: int
    _source: Reading
    _left: int

    def read(self, size: int) -> bytes:
        data = self._source.read(min(size, self._left))
        if self._left and not data:
            raise GitFailed(f"Git broke off in the middle of {self.blob.identifier}")
        self._left -= len(data)
        return data

    def skip(self) -> None:
        while self._left:
            self.read(_SKIPPED)


def contents(blobs: Sequence[Blob]) -> Iterator[StoredObject]:
    """Yield each object with its bytes to be read; what is left of one is skipped at the next."""
    given = b"".join(f"{blob.identifier}\n".encode() for blob in blobs)
    if not given:
        return
    with reading(_arguments(git.contents()), stdin=given) as source:
        for blob in blobs:
            words = source.line(_LONGEST_LINE).decode("ascii", "replace").split()
            if len(words) == 2 and words[1] == "missing":
                yield StoredObject(blob, None, 0, source, 0)
                continue
            if len(words) != 3 or not words[2].isdecimal():
                raise GitFailed(f"Git does not print objects: {source.failure() or 'it stopped'}")
            stored = StoredObject(blob, words[1], int(words[2]), source, int(words[2]))
            yield stored
            stored.skip()
            source.read(1)  # the line break behind an object


def _output(command: Command) -> bytes:
    """Return what a Git command prints. Raises `GitFailed`."""
    try:
        with reading(_arguments(command)) as source:
            parts, left = [], _MOST_LISTED
            while left > 0 and (part := source.read(min(left, _SKIPPED))):
                parts.append(part)
                left -= len(part)
            if left <= 0:
                raise GitFailed(f"Git lists more than {_MOST_LISTED >> 20} MB")
            if (failure := source.failure()) is not None:
                raise GitFailed(failure)
            return b"".join(parts)
    except OSError as error:
        raise GitFailed(f"Git cannot be started: {error.strerror}") from error


def _arguments(command: Command) -> list[str]:
    arguments = command.arguments()
    assert arguments is not None, "one program"
    return arguments
