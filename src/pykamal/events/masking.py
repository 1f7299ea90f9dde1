"""Keeps secrets that programs print out of what is shown, kept and sent away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final, TypeVar, cast

from pykamal.core.sensitive import REDACTED, Sensitive
from pykamal.events.types import CommandOutput, Event, Log, Message, RunFailed

SHORTEST: Final = 6
"""Characters; shorter values (`true`, `3306`) are words that mean other things too."""

AnyEvent = TypeVar("AnyEvent", bound=Event)


class Masking:
    """An event with `[REDACTED]` for each line of a secret in what programs printed and errors quote.

    Ours are redacted where events are made; hooks, builds and containers print what they like. Results are left as
    they are: who asks for the environment of a container wants to see it. `known` are the secrets that have been read
    so far.
    """

    def __init__(self, known: Callable[[], Iterable[Sensitive]]) -> None:
        self._known = known

    def __call__(self, event: AnyEvent) -> AnyEvent:
        masked: Event = event
        if isinstance(event, CommandOutput | Log | Message):
            masked = replace(event, text=self._masked(event.text))
        elif isinstance(event, RunFailed):
            details = tuple(map(self._masked, event.details))
            masked = replace(event, message=self._masked(event.message), details=details)
        return cast("AnyEvent", masked)

    def _masked(self, text: str) -> str:
        for line in self._lines():
            text = text.replace(line, REDACTED)
        return text

    def _lines(self) -> Iterator[str]:
        lines = {line for secret in self._known() for line in secret.reveal().splitlines()}
        yield from sorted((line for line in lines if len(line) >= SHORTEST), key=len, reverse=True)
