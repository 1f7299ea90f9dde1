"""Events as lines for people, in the forms that Ruby Kamal's users and their scripts know (spec/cli.md 4.2 to 4.5)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, TextIO

from pykamal.events.types import (
    CommandFinished,
    CommandOutput,
    CommandStarted,
    Event,
    HostResult,
    Level,
    Log,
    Message,
    Result,
    RunFailed,
    RunFinished,
    Stream,
    Tone,
)

_THRESHOLDS: Final[Mapping[str, Level]] = {"verbose": Level.DEBUG, "normal": Level.INFO, "quiet": Level.ERROR}
_LEVEL_COLOURS: Final = {Level.DEBUG: 30, Level.INFO: 34, Level.WARN: 33, Level.ERROR: 31}
_TONE_COLOURS: Final = {Tone.PROGRESS: 35, Tone.WARNING: 33, Tone.PROBLEM: 31}
_STREAM_COLOURS: Final = {Stream.STDOUT: 32, Stream.STDERR: 31}


class Lines:
    """A subscriber that writes lines to a stream.

    `verbosity` is `normal`, `verbose` or `quiet`. Progress messages are held back when quiet; results and the final
    error are always written.
    """

    def __init__(self, stream: TextIO, *, verbosity: str = "normal", coloured: bool = False) -> None:
        self.stream = stream
        self.quiet = verbosity == "quiet"
        self.threshold = _THRESHOLDS[verbosity]
        self.coloured = coloured

    def __call__(self, event: Event) -> None:
        match event:
            case CommandStarted():
                self._started(event)
            case CommandOutput():
                for line in event.text.removesuffix("\n").split("\n"):
                    data = self._paint(line, f"0;{_STREAM_COLOURS[event.stream]};49")
                    self._log(Level.DEBUG, f"\t{data}", event.id, shown=event.shown)
            case CommandFinished():
                self._finished(event)
            case Message(text=text, tone=tone):
                if not self.quiet:
                    self._write(self._paint(text, str(_TONE_COLOURS[tone])))
            case Log(level=level, text=text):
                self._log(level, text)
            case HostResult():
                self._result(event)
            case Result(text=text):
                self._write(text)
            case RunFinished(seconds=seconds, announced=True):
                self._write(f"  Finished all in {seconds:.1f} seconds")
            case RunFailed():
                self._failed(event)

    # -- the lines

    def _started(self, event: CommandStarted) -> None:
        command = self._paint(event.command, "1;33;49")
        running = f"Running {command} {self._place(event)}"
        self._log(_level(event.quiet), running, event.id, shown=event.shown)
        label = self._paint("Command:", "0;34;49")
        self._log(Level.DEBUG, f"{label} {self._paint(event.command, '0;34;49')}", event.id, shown=event.shown)

    def _place(self, event: CommandStarted) -> str:
        # A user is shown where the host as written names one, not where it comes from `ssh.user` (spec/cli.md 4.3).
        user, at, host = event.host.rpartition("@") if event.host is not None else _this_machine()
        if not at:
            return f"on {self._paint(host, '0;34;49')}"
        return f"as {self._paint(user, '0;34;49')}@{self._paint(host, '0;34;49')}"

    def _finished(self, event: CommandFinished) -> None:
        if event.failed:
            return  # the final error tells
        word = self._paint("successful", "1;32;49") if event.exit_status == 0 else self._paint("failed", "1;31;49")
        text = f"Finished in {event.seconds:5.3f} seconds with exit status {event.exit_status} ({word})."
        self._log(_level(event.quiet), text, event.id)

    def _result(self, event: HostResult) -> None:
        if event.raw:
            self.stream.write(event.text)
            self.stream.flush()
            return
        if event.kind is not None and not self.quiet:
            self._write(f"{event.kind} Host: {event.host}")
        self._write(f"{event.text.strip()}\n")

    def _failed(self, event: RunFailed) -> None:
        self._write("  " + self._paint(f"ERROR ({event.label}): {event.message}", "31"))
        for line in event.details:
            self._write(line)
        if event.hint is not None:
            self._write(f"  Next: {event.hint}")

    # -- writing

    def _log(self, level: Level, text: str, identifier: str | None = None, *, shown: bool = False) -> None:
        if level < self.threshold and (self.quiet or not shown):
            return
        name = self._paint(f"{level.name:>6}", f"0;{_LEVEL_COLOURS[level]};49")
        mark = f"[{self._paint(identifier, '0;32;49')}] " if identifier else ""
        self._write(f"{name} {mark}{text}")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text

    def _write(self, line: str) -> None:
        self.stream.write(line + "\n")
        self.stream.flush()


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Colours go to terminals, unless `NO_COLOR` or a dumb terminal says no; `SSHKIT_COLOR` forces them."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("SSHKIT_COLOR"):
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"


def _level(quiet: bool) -> Level:
    return Level.DEBUG if quiet else Level.INFO


def _this_machine() -> tuple[str, str, str]:
    user = next((user for name in ("USER", "LOGNAME", "USERNAME") if (user := os.environ.get(name))), "")
    return user, "@" if user else "", "localhost"
