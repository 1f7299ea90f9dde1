"""Searches a project: its files, and its history since the last deploy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pykamal.config.models import Config
from pykamal.config.redaction import literal_secrets
from pykamal.core.errors import UsageError
from pykamal.operations.secret_scan import repository
from pykamal.operations.secret_scan.history import HISTORY, search_history, search_objects
from pykamal.operations.secret_scan.leak_report import LeakReport
from pykamal.operations.secret_scan.repository import GitFailed
from pykamal.operations.secret_scan.searched_values import searched_values
from pykamal.operations.secret_scan.searcher import Searcher
from pykamal.operations.secret_scan.waivers import read_waivers
from pykamal.operations.secret_scan.work_tree import search_files, search_tracked_files
from pykamal.secrets.store import Secrets


def new_report(config: Config, secrets: Secrets) -> LeakReport:
    """Return an empty report that searches for the secrets, which are read now."""
    literal = literal_secrets(config.document) if config.document is not None else ()
    searched = searched_values(config, secrets.all(), literal)
    report = LeakReport(Searcher(searched.values), read_waivers())
    report.values(searched)
    return report


def search_project(
    config: Config, config_file: Path, report: LeakReport, *, since: str | None = None, deployed: Sequence[str] = ()
) -> None:
    """Search tracked files, what a deploy reads, and the history since a commit.

    That is `since`, or the latest of the `deployed` versions that is a commit. Without one, all of the history counts.
    Raises `UsageError` where `since` is no commit.
    """
    root = repository.work_tree()
    if root is None:
        report.not_examined(HISTORY, "there is no Git repository here, or Git is missing")
        search_files(_read_by_deploys(config, config_file), None, report)
        return
    first = _first_commit(since, deployed)
    try:
        different = search_tracked_files(root, report)
        search_files(_read_by_deploys(config, config_file), root, report)
        search_objects(different, report, count="versions of files that differ")
    except GitFailed as error:
        report.not_examined(HISTORY, error.message)
    if repository.commit_of("HEAD") is not None:
        search_history(first, report)


def _first_commit(since: str | None, deployed: Sequence[str]) -> str | None:
    if since is not None:
        commit = repository.commit_of(since)
        if commit is None:
            raise UsageError(f"--since {since} is no commit of this repository")
        return commit
    commits = (repository.commit_of(version.partition("_")[0]) for version in deployed)
    return next((commit for commit in commits if commit is not None), None)


def _read_by_deploys(config: Config, config_file: Path) -> Iterator[Path]:
    """deploy.yml, also of other destinations, hooks and the Dockerfile, whether Git tracks them or not."""
    yield config_file
    yield from sorted(config_file.parent.glob(f"{config_file.stem}.*{config_file.suffix}"))
    yield from sorted(path for path in Path(config.hooks_path).glob("*") if not path.is_dir())
    yield Path(config.builder.dockerfile)
