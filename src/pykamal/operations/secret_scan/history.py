"""Searches the history of a repository: every version of a file, and every message, since a commit.

Objects are searched and not differences: so merges, renames and files that are no text are searched as well, and each
version once, however many commits have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pykamal.operations.secret_scan import repository
from pykamal.operations.secret_scan.leak_report import LeakReport, Place, shown_name
from pykamal.operations.secret_scan.repository import Blob, GitFailed, StoredObject
from pykamal.operations.secret_scan.work_tree import MOST_BYTES

HISTORY: Final = Place("history")


def search_history(since: str | None, report: LeakReport) -> None:
    """Search what came after a commit, which is known to be one; without it all that there is."""
    try:
        if since is None and repository.is_shallow():
            report.not_examined(HISTORY, "the clone is shallow (fetch all of it, or give --since)")
        objects = repository.objects_since(since)
        search_objects(objects, report)
    except GitFailed as error:
        report.not_examined(HISTORY, error.message)


def search_objects(objects: Sequence[Blob], report: LeakReport, *, count: str = "objects of the history") -> None:
    """Search blobs and the messages of commits and tags; trees have names only."""
    for stored in repository.contents(objects):
        identifier = stored.blob.identifier
        if stored.kind is None:
            report.not_examined(HISTORY, f"{identifier} is not in this clone")
        elif stored.kind == "tree":
            stored.skip()
        else:
            report.counted[count] += 1
            _search(stored, report)


def _search(stored: StoredObject, report: LeakReport) -> None:
    name = shown_name(stored.blob.path)
    if stored.kind == "blob":
        place = Place(f"history:{name}", file=name or None, within=f"in the version {stored.blob.identifier[:12]}")
    else:
        place = Place(f"history:{stored.kind} {stored.blob.identifier[:12]}")
    if stored.size > MOST_BYTES:
        report.not_examined(place, f"it has more than {MOST_BYTES >> 20} MB")
        return
    before = len(report.diagnostics)
    report.search(stored.read, place)
    if stored.kind == "blob" and len(report.diagnostics) > before:
        report.came_with(before, repository.introducing(stored.blob.identifier))
