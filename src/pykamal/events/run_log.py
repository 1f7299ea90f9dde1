"""The interface of a log of a whole command beside the terminal (spec/cli.md 11)."""

from __future__ import annotations

from typing import Protocol

from pykamal.events.types import Event, RunFailed


class RunLog(Protocol):
    """A subscriber that takes every log line and progress message, whatever the verbosity, and no results.

    Its own troubles never stop the run: it tells of the first one and falls silent.
    """

    def __call__(self, event: Event) -> None: ...

    def close(self, failure: RunFailed | None, seconds: float) -> str | None:
        """End the log and return a remark for people, if any. No event may follow."""
        ...
