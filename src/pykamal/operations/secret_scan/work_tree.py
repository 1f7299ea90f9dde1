"""Searches the files of a project: those that Git tracks, and those that a deploy reads."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from pykamal.operations.secret_scan.leak_report import LeakReport, Place, shown_name
from pykamal.operations.secret_scan.repository import Blob, TrackedFile, tracked_files

MOST_BYTES: Final = 1024 * 1024 * 1024
"""Of one file. A larger one is no source, and is told as not searched."""

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_SUBMODULE: Final = "160000"
_LINK: Final = "120000"


def search_tracked_files(root: str, report: LeakReport) -> list[Blob]:
    """Search the work tree. Return the versions that Git has of files which are gone or different there."""
    different: list[Blob] = []
    inside = _Inside(Path(root).resolve())
    for file in tracked_files(root):
        path = Path(root, os.fsdecode(file.path))
        place = Place(shown_name(file.path), file=shown_name(file.path))
        if file.mode == _SUBMODULE:
            report.not_examined(place, "it is a submodule, which has a history of its own")
        elif file.mode == _LINK:
            report.counted["links"] += 1
            different.append(Blob(file.blob, file.path))  # the text of the link, which is never followed
        elif not inside.holds(path.parent):
            report.not_examined(place, "its directory is a symbolic link that leaves the repository")
        elif not _is_unchanged(path, file, place, report):
            different.append(Blob(file.blob, file.path))
    return different


def search_files(paths: Iterable[Path], root: str | None, report: LeakReport) -> None:
    """Search files of the project that Git may not track, such as deploy.yml. Those that are missing are left out."""
    for path in paths:
        name = os.fsencode(os.path.relpath(path, root) if root is not None else path)
        place = Place(shown_name(name), file=shown_name(name))
        if place.name in report.searched:
            continue
        try:
            with _opened(path) as file:
                report.counted["files"] += 1
                report.search(file.read, place)
        except FileNotFoundError:
            continue
        except OSError as error:
            report.not_examined(place, _reason(error))


@dataclass
class _Inside:
    """Tells which directories are in the repository with their symbolic links resolved."""

    root: Path
    _last: Path | None = None

    def holds(self, directory: Path) -> bool:
        if directory != self._last and not directory.resolve().is_relative_to(self.root):
            return False
        self._last = directory
        return True


def _is_unchanged(path: Path, file: TrackedFile, place: Place, report: LeakReport) -> bool:
    """Search a file of the work tree. Return True where it is the version that Git has."""
    try:
        with _opened(path) as opened:
            digest = _Digest(opened, file.blob)
            report.counted["files"] += 1
            report.searched.add(place.name)
            report.search(digest.read, place)
            return digest.matches()
    except FileNotFoundError:
        return False
    except OSError as error:
        report.not_examined(place, _reason(error))
        return False


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a regular file of an accepted size. Nothing is waited for, and no link is followed."""
    descriptor = os.open(path, _FLAGS)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        if found.st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {MOST_BYTES >> 20} MB")
        yield file


class _Digest:
    """A file that is read, with the hash that Git would give it."""

    def __init__(self, file: IO[bytes], blob: str) -> None:
        self._file = file
        self._blob = blob
        self._size = os.fstat(file.fileno()).st_size
        self._hash = hashlib.new("sha256" if len(blob) == 64 else "sha1", usedforsecurity=False)
        self._hash.update(b"blob %d\0" % self._size)

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def matches(self) -> bool:
        return self._hash.hexdigest() == self._blob


def _reason(error: OSError) -> str:
    return "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or "it cannot be read"
