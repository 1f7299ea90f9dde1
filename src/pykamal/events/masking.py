"""Keeps secrets that programs print out of logs that outlive the run, and leave the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from pykamal.core.sensitive import REDACTED, Sensitive
from pykamal.events.run_log import RunLog
from pykamal.events.types import CommandOutput, Event, Log, Message, RunFailed

SHORTEST: Final = 6
"""Characters; shorter values (`true`, `3306`) are words that mean other things too."""


class Masked:
    """A `RunLog` before another one: each line of a secret becomes `[REDACTED]`.

    Ours are redacted where events are made; hooks, builds and containers print what they like. `known` are the secrets
    that have been read so far.
    """

    def __init__(self, log: RunLog, known: Callable[[], Iterable[Sensitive]]) -> None:
        self._log = log
        self._known = known

    def __call__(self, event: Event) -> None:
        if isinstance(event, CommandOutput | Log | Message):
            event = replace(event, text=self._masked(event.text))
        self._log(event)

    def close(self, failure: RunFailed | None, seconds: float) -> str | None:
        masked = None if failure is None else replace(failure, message=self._masked(failure.message))
        return self._log.close(masked, seconds)

    def _masked(self, text: str) -> str:
        for line in self._lines():
            text = text.replace(line, REDACTED)
        return text

    def _lines(self) -> Iterator[str]:
        lines = {line for secret in self._known() for line in secret.reveal().splitlines()}
        yield from sorted((line for line in lines if len(line) >= SHORTEST), key=len, reverse=True)
