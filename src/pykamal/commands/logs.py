"""What of a container's log is asked for, and the lines that show it (spec/cli.md 14.5)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from typing import Final

from pykamal.commands.command import Command, query
from pykamal.commands.words import DoubleQuoted, SingleQuoted, Word

SHOWN_LINES: Final = 100
"""Lines of each container when nothing narrows them down."""

FOLLOWED_LINES: Final = 10
"""Lines that following starts with."""


@dataclass(frozen=True, slots=True)
class LogSelection:
    """Part of a log, all of it by default.

    `since` is a time as Docker reads it (`5m`, a time stamp), `lines` how many of the last ones, `grep` what is in them
    and `grep_options` further words for `grep`, split as a shell does; `timestamps` are shown in front of the lines.
    """

    since: str | None = None
    lines: int | None = None
    grep: str | None = None
    grep_options: str | None = None
    timestamps: bool = True

    def limited(self, lines: int = SHOWN_LINES) -> LogSelection:
        """The last `lines` of it, unless the user has narrowed it down in any way."""
        narrowed = self.lines is not None or self.since or self.grep
        return self if narrowed else replace(self, lines=lines)


ALL_LINES: Final = LogSelection()


def container_logs(name: str, selection: LogSelection, *, follow: bool) -> Command:
    """The log of a container of that name, both streams in one; following starts with the last lines by default."""
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


def matching(shown: Command, selection: LogSelection, *, follow: bool) -> Command:
    """Of the lines shown, those that `grep` asks for; its pattern is in double quotes when following."""
    if not selection.grep:
        return shown
    pattern = DoubleQuoted(selection.grep) if follow else SingleQuoted(selection.grep)
    marked = ["-e"] if selection.grep.startswith("-") else []  # or it would be read as an option
    return shown | query("grep", *marked, pattern, *shlex.split(selection.grep_options or ""))
