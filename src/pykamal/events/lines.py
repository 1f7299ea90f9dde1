"""Writes events as lines for people, in the formats of Ruby Kamal (spec/cli.md 4.2 to 4.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TextIO

from pykamal.events.log_lines import LogLine, log_lines
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
_STREAM_COLOURS: Final = {Stream.STDOUT: 32, Stream.STDERR: 31}
_LEVEL_COLOURS: Final = {Level.DEBUG: 30, Level.INFO: 34, Level.WARN: 33, Level.ERROR: 31}
_TONE_COLOURS: Final = {Tone.PROGRESS: 35, Tone.WARNING: 33, Tone.PROBLEM: 31}


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
            case CommandOutput():
                self._output(event)
            case CommandStarted() | CommandFinished() | Log():
                for line in log_lines(event, self._paint):
                    self._log(line)
            case Message(text=text, tone=tone):
                if not self.quiet:
                    self._write(self._paint(text, str(_TONE_COLOURS[tone])))
            case HostResult():
                self._result(event)
            case Result(text=text, raw=raw):
                put = self._put_raw if raw else self._put
                put(text.removesuffix("\n") + "\n")
            case RunFinished(seconds=seconds, announced=True):
                self._write(f"  Finished all in {seconds:.1f} seconds")
            case RunFailed():
                self._failed(event)

    def ignores(self, event: Event) -> bool:
        """Return True for an event that is not shown, so that large output is not even examined."""
        return isinstance(event, CommandOutput) and not event.shown and self.threshold > Level.DEBUG

    def _result(self, event: HostResult) -> None:
        if event.raw:
            self._put_raw(event.text)
            return
        heading = f"{event.kind} Host: {event.host}\n" if event.kind and event.begins and not self.quiet else ""
        text = event.text.lstrip() if event.begins else event.text
        end = "" if not event.ends else "\n\n" if event.kind else "\n"
        self._put(heading + (text.rstrip() if event.ends else text) + end)

    def _output(self, event: CommandOutput) -> None:
        """Write all lines of an event at once: commands print them by the million."""
        if self.ignores(event):
            return
        start = f"{self._head(Level.DEBUG, event.id)}\t"
        end = ""
        if self.coloured:
            start, end = f"{start}\x1b[0;{_STREAM_COLOURS[event.stream]};49m", "\x1b[0m"
        lines = event.text.removesuffix("\n").replace("\n", f"{end}\n{start}")
        self._put(f"{start}{lines}{end}\n")

    def _failed(self, event: RunFailed) -> None:
        self._write("  " + self._paint(f"ERROR ({event.label}): {event.message}", "31"))
        for line in event.details:
            self._write(line)
        if event.hint is not None:
            self._write(f"  Next: {event.hint}")
        if event.identifiers:
            self._write(f"  More: kamal explain {' '.join(event.identifiers)}")

    def _log(self, line: LogLine) -> None:
        if line.level < self.threshold and not line.shown:
            return
        self._write(f"{self._head(line.level, line.id)}{line.text}")

    def _head(self, level: Level, identifier: str | None) -> str:
        name = self._paint(f"{level.name:>6}", f"0;{_LEVEL_COLOURS[level]};49")
        return f"{name} [{self._paint(identifier, '0;32;49')}] " if identifier else f"{name} "

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text

    def _put_raw(self, text: str) -> None:
        """Write bytes unchanged whatever the encoding of the stream, for a database dump say (spec/cli.md 4.4)."""
        self.stream.flush()
        binary = getattr(self.stream, "buffer", None)
        if binary is None:
            self.stream.write(text)
        else:
            binary.write(text.encode("utf-8", "surrogateescape"))
        self.stream.flush()

    def _write(self, line: str) -> None:
        self._put(f"{line}\n")

    def _put(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Return True for a terminal without `NO_COLOR` that is not dumb, and wherever `SSHKIT_COLOR` is set."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("SSHKIT_COLOR"):
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"
