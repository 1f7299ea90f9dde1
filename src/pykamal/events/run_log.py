"""What keeps the log of a whole command beside the terminal looks like (spec/cli.md 11)."""

from __future__ import annotations

from typing import Protocol

from pykamal.events.types import Event, RunFailed


class RunLog(Protocol):
    """A subscriber that takes every log line and progress message, whatever the verbosity, and no results.

    Its own troubles never stop the run: it tells of the first one and falls silent.
    """

    def __call__(self, event: Event) -> None: ...

    def close(self, failure: RunFailed | None, seconds: float) -> str | None:
        """The command has ended; what to tell people of the log, if anything. Nothing is taken afterwards."""
        ...
