"""The log file of a command."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pykamal.core.sensitive import Sensitive
from pykamal.events import (
    CommandFinished,
    CommandOutput,
    CommandStarted,
    HostResult,
    Level,
    Log,
    Message,
    Result,
    RunFailed,
    RunFinished,
    Stream,
)
from pykamal.events.log_file import LogFile, file_name

pytestmark = pytest.mark.unit

EVENTS = (
    Message(text="Ensure kamal-proxy is running..."),
    CommandStarted(id="0cc54dd8", command=f"docker login -p {Sensitive('hush')}", host="10.0.0.1", quiet=True),
    CommandOutput(id="0cc54dd8", host="10.0.0.1", stream=Stream.STDERR, text="one\ntwo\n"),
    CommandFinished(id="0cc54dd8", host="10.0.0.1", exit_status=0, seconds=0.4, quiet=True),
    HostResult(host="10.0.0.1", text="a result"),
    Result(text="another"),
    Log(level=Level.WARN, text="Missing compatible builder, so creating a new one first"),
    RunFinished(operation="deploy", seconds=1, announced=True),
)


def made(folder: Path, report: Callable[[str], None] = print) -> LogFile:
    return LogFile(str(folder), command="app boot", destination=None, report=report)


def test_lines_of_all_levels_and_no_results(tmp_path: Path) -> None:
    """Every log line and progress message whatever the verbosity, and no results by host (cli.md 11)."""
    log = made(tmp_path / "log" / "kamal")
    for event in EVENTS:
        log(event)
    assert log.close(None, 1.26) == f"Logs written to {log.path}"
    assert log.path.read_text() == (
        "Ensure kamal-proxy is running...\n"
        " DEBUG [0cc54dd8] Running docker login -p [REDACTED] on 10.0.0.1\n"
        " DEBUG [0cc54dd8] Command: docker login -p [REDACTED]\n"
        " DEBUG [0cc54dd8] \tone\n"
        " DEBUG [0cc54dd8] \ttwo\n"
        " DEBUG [0cc54dd8] Finished in 0.400 seconds with exit status 0 (successful).\n"
        "  WARN Missing compatible builder, so creating a new one first\n"
        "# Completed in 1.3s\n"
    )


def test_the_last_line_of_a_failure(tmp_path: Path) -> None:
    """`# FAILED: CLASS: MSG (1.3s)` (cli.md 11.1)."""
    log = made(tmp_path)
    log.close(RunFailed(operation="deploy", identifier="x", label="Kamal::Cli::BootError", message="no"), 1.26)
    assert log.path.read_text() == "# FAILED: Kamal::Cli::BootError: no (1.3s)\n"


def test_a_line_is_in_the_file_at_once(tmp_path: Path) -> None:
    """The file is not buffered, so that it can be followed and survives a killed run (cli.md 11.1)."""
    log = made(tmp_path)
    log(Message(text="Doing..."))
    assert log.path.read_text() == "Doing...\n"
    log.close(None, 0)


@pytest.mark.parametrize(
    ("command", "destination", "expected"),
    [
        ("deploy", None, "2026-11-22T09-30-57_deploy.log"),
        ("app boot", None, "2026-11-22T09-30-57_app_boot.log"),
        ("app boot", "staging", "2026-11-22T09-30-57_staging_app_boot.log"),
        ("deploy", "eu/staging", "2026-11-22T09-30-57_eu-staging_deploy.log"),
    ],
)
def test_names(command: str, destination: str | None, expected: str) -> None:
    """Time, destination, command, and the subcommand that Ruby Kamal forgets (cli.md 11.1 and 22, 4)."""
    assert file_name(datetime(2026, 11, 22, 9, 30, 57, tzinfo=UTC), command, destination) == expected


def test_the_name_has_the_local_time(tmp_path: Path) -> None:
    """`%Y-%m-%dT%H-%M-%S` (cli.md 11.1)."""
    log = made(tmp_path)
    log.close(None, 0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d_app_boot\.log", log.path.name)


def test_a_file_that_cannot_be_written_to_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk under the log is no reason to stop a deploy."""
    monkeypatch.setattr("pykamal.events.log_file._opened", lambda _: os.open("/dev/full", os.O_WRONLY))
    told: list[str] = []
    log = made(tmp_path, told.append)
    for event in EVENTS:
        log(event)
    assert log.close(None, 1) is None
    assert told == [f"Log file {log.path} is incomplete: OSError: No space left on device"]
