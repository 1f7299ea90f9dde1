"""Events as lines for people, in the forms that Ruby Kamal's users and their scripts know (spec/cli.md 4.2 to 4.5)."""

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
    Tone,
)

_THRESHOLDS: Final[Mapping[str, Level]] = {"verbose": Level.DEBUG, "normal": Level.INFO, "quiet": Level.ERROR}
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
            case CommandStarted() | CommandOutput() | CommandFinished() | Log():
                for line in log_lines(event, self._paint):
                    self._log(line)
            case Message(text=text, tone=tone):
                if not self.quiet:
                    self._write(self._paint(text, str(_TONE_COLOURS[tone])))
            case HostResult():
                self._result(event)
            case Result(text=text):
                self._write(text.removesuffix("\n"))
            case RunFinished(seconds=seconds, announced=True):
                self._write(f"  Finished all in {seconds:.1f} seconds")
            case RunFailed():
                self._failed(event)

    def _result(self, event: HostResult) -> None:
        if event.raw:
            self._write_raw(event.text)
            return
        if event.kind is None:
            self._write(event.text.strip())
            return
        if not self.quiet:
            self._write(f"{event.kind} Host: {event.host}")
        self._write(f"{event.text.strip()}\n")

    def _failed(self, event: RunFailed) -> None:
        self._write("  " + self._paint(f"ERROR ({event.label}): {event.message}", "31"))
        for line in event.details:
            self._write(line)
        if event.hint is not None:
            self._write(f"  Next: {event.hint}")

    def _log(self, line: LogLine) -> None:
        if line.level < self.threshold and not line.shown:
            return
        name = self._paint(f"{line.level.name:>6}", f"0;{_LEVEL_COLOURS[line.level]};49")
        mark = f"[{self._paint(line.id, '0;32;49')}] " if line.id else ""
        tab = "" if line.stream is None else "\t"
        self._write(f"{name} {mark}{tab}{line.text}")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.coloured else text

    def _write_raw(self, text: str) -> None:
        """Byte for byte, whatever the encoding of the stream: a database dump, say (spec/cli.md 4.4)."""
        self.stream.flush()
        binary = getattr(self.stream, "buffer", None)
        if binary is None:
            self.stream.write(text)
        else:
            binary.write(text.encode("utf-8", "surrogateescape"))
        self.stream.flush()

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
