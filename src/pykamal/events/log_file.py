"""Writes the log file of one command (`output.file` of deploy.yml; spec/cli.md 11.1)."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pykamal.events.lines import Lines
from pykamal.events.types import CommandFinished, CommandOutput, CommandStarted, Event, Log, Message, RunFailed


class LogFile:
    """A `RunLog` that writes the lines that `--verbose` would show to a file of its own.

    Output may hold secrets that no one told us of, so the file is for this user alone. Raises `OSError` when it cannot
    be made. `report` is told when it cannot be written to later.
    """

    def __init__(
        self,
        folder: str,
        *,
        command: str,
        destination: str | None,
        report: Callable[[str], None],
        coloured: bool = False,
    ) -> None:
        self.path = Path(folder) / file_name(datetime.now().astimezone(), command, destination)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.fdopen(_opened(self.path), "a", encoding="utf-8", errors="backslashreplace")
        self._lines = Lines(self._file, verbosity="verbose", coloured=coloured)
        self._report = report
        self._broken = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, CommandStarted | CommandOutput | CommandFinished | Log | Message):
            self._guarded(lambda: self._lines(event))

    def close(self, failure: RunFailed | None, seconds: float) -> str | None:
        end = "Completed in" if failure is None else f"FAILED: {failure.label}: {failure.message}"
        taken = f"{seconds:.1f}s" if failure is None else f"({seconds:.1f}s)"
        self._guarded(lambda: self._file.write(f"# {end} {taken}\n"))
        self._guarded(self._file.close)
        return None if self._broken else f"Logs written to {self.path}"

    def _guarded(self, write: Callable[[], object]) -> None:
        if self._broken:
            return
        try:
            write()
        except OSError as error:
            self._broken = True
            with suppress(OSError):
                self._file.close()
            self._report(f"Log file {self.path} is incomplete: {type(error).__name__}: {error.strerror}")


def _opened(path: Path) -> int:
    """Open a file of this user's alone; its name can be guessed, so another user may have made it first."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # a run of the same second, as a rule
        descriptor = os.open(path, flags)
    if os.fstat(descriptor).st_uid != os.geteuid():
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "another user made this file", str(path))
    return descriptor


def file_name(at: datetime, command: str, destination: str | None) -> str:
    """Return local time, destination and command: `2026-11-22T09-30-57_staging_app_boot.log`."""
    parts = [at.strftime("%Y-%m-%dT%H-%M-%S"), *([destination] if destination else []), *command.split()]
    return "_".join(parts).replace("/", "-") + ".log"
