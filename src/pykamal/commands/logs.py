"""Commands that print container logs, and the selection of their lines (spec/cli.md 14.5)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import Final

from pykamal.commands.command import Command, query
from pykamal.commands.words import DoubleQuoted, SingleQuoted, Syntax, Word

SHOWN_LINES: Final = 100
"""The lines of each container without a selection."""

FOLLOWED_LINES: Final = 10
"""The lines that following starts with."""


@dataclass(frozen=True, slots=True)
class LogSelection:
    """A selection of log lines, all by default.

    `since` is a time as Docker reads it (`5m`, a time stamp), `lines` how many of the last ones, `grep` what is in them
    and `grep_options` further words for `grep`, split as a shell does; `timestamps` are shown in front of the lines.
    """

    since: str | None = None
    lines: int | None = None
    grep: str | None = None
    grep_options: str | None = None
    timestamps: bool = True

    def limited(self, lines: int = SHOWN_LINES) -> LogSelection:
        """Limit to the last `lines`, unless the user gave a selection."""
        narrowed = self.lines is not None or self.since or self.grep
        return self if narrowed else replace(self, lines=lines)


ALL_LINES: Final = LogSelection()


def container_checks(name: str, selection: LogSelection) -> list[tuple[str, Command]]:
    """Named commands that have to succeed before `container_logs`."""
    return checks(query("docker", "logs", *no_lines(selection), name), selection)


def container_logs(name: str, selection: LogSelection, *, follow: bool) -> Command:
    """Print the log of the container with that name, both streams in one; following starts with the last lines."""
    unlimited = selection.lines is None and selection.since is None
    tail = FOLLOWED_LINES if follow and unlimited else selection.lines
    parts: dict[str, list[Word]] = {
        "timestamps": ["--timestamps"] if selection.timestamps else [],
        "since": ["--since", selection.since] if selection.since else [],
        "tail": ["--tail", str(tail)] if tail is not None else [],
    }
    order = ("timestamps", "since", "tail") if follow else ("since", "tail", "timestamps")
    words = [word for part in order for word in parts[part]] + (["--follow"] if follow else [])
    return matching(query("docker", "logs", name, *words).redirected("2>&1"), selection, follow=follow)


def checks(readable: Command, selection: LogSelection) -> list[tuple[str, Command]]:
    """Named commands that fail where a pipe would hide it: `readable` reads no line at all of the log that is meant."""
    if not (selection.since or selection.grep):
        return []
    found = [("read log", readable.redirected("> /dev/null"))]
    if selection.grep:
        nothing = _grep(selection, follow=False).from_file("/dev/null").redirected("> /dev/null")
        found.append(("check --grep", nothing.then(query("test", Syntax("$?"), "-le", "1"))))
    return found


def no_lines(selection: LogSelection) -> list[Word]:
    """Options of `docker logs` for the log of before `selection`, which it still has to understand."""
    return ["--tail", "0", *(["--since", selection.since] if selection.since else [])]


def matching(shown: Command, selection: LogSelection, *, follow: bool) -> Command:
    """Filter the lines by `grep`; its pattern is in double quotes when following."""
    return shown | _grep(selection, follow=follow) if selection.grep else shown


def _grep(selection: LogSelection, *, follow: bool) -> Command:
    text = selection.grep or ""
    marked = ["-e"] if text.startswith("-") else []  # or it would be read as an option
    pattern = DoubleQuoted(text) if follow else SingleQuoted(text)
    return query("grep", *marked, pattern, *shlex.split(selection.grep_options or ""))
