"""Formats events as log lines, for the terminal, log files and collectors (spec/cli.md 4.3)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pykamal.events.types import CommandFinished, CommandOutput, CommandStarted, Event, Level, Log, Stream

Paint = Callable[[str, str], str]
"""Formats a text with the code of a colour for one kind of output."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log line. `id` is the command's identifier, `stream` the one it was printed to, `shown` as in the events."""

    level: Level
    text: str
    host: str | None = None
    id: str | None = None
    stream: Stream | None = None
    shown: bool = False


def plain(text: str, _code: str) -> str:
    return text


def log_lines(event: Event, paint: Paint = plain) -> Iterator[LogLine]:
    """Yield the lines of an event; events with a format of their own, such as results, have none."""
    match event:
        case CommandStarted():
            running = f"Running {paint(event.command, '1;33;49')} {_place(event, paint)}"
            yield LogLine(_level(event.quiet), running, event.host, event.id, shown=event.shown)
            command = f"{paint('Command:', '0;34;49')} {paint(event.command, '0;34;49')}"
            yield LogLine(Level.DEBUG, command, event.host, event.id, shown=event.shown)
        case CommandOutput(stream=stream):
            for line in event.text.removesuffix("\n").split("\n"):
                yield LogLine(Level.DEBUG, line, event.host, event.id, stream, event.shown)
        case CommandFinished(failed=False):  # the final error tells of a failure
            word = paint("successful", "1;32;49") if event.exit_status == 0 else paint("failed", "1;31;49")
            text = f"Finished in {event.seconds:5.3f} seconds with exit status {event.exit_status} ({word})."
            yield LogLine(_level(event.quiet), text, event.host, event.id)
        case Log(level=level, text=text, host=host):
            yield LogLine(level, text, host)


def _level(quiet: bool) -> Level:
    return Level.DEBUG if quiet else Level.INFO


def _place(event: CommandStarted, paint: Paint) -> str:
    # A user is shown where the host as written names one, not where it comes from `ssh.user`.
    user, at, host = event.host.rpartition("@") if event.host is not None else _this_machine()
    if not at:
        return f"on {paint(host, '0;34;49')}"
    return f"as {paint(user, '0;34;49')}@{paint(host, '0;34;49')}"


def _this_machine() -> tuple[str, str, str]:
    user = next((user for name in ("USER", "LOGNAME", "USERNAME") if (user := os.environ.get(name))), "")
    return user, "@" if user else "", "localhost"
