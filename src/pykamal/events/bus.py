"""From those who do things to those who show them. Synchronous and in order; a renderer must not block."""

from __future__ import annotations

from collections.abc import Callable

from pykamal.events.types import Event, Level, Log, Message, Tone

Subscriber = Callable[[Event], None]
Rewriting = Callable[[Event], Event]


class Bus:
    """Hands each event to every subscriber, in the order of subscription."""

    def __init__(self, *subscribers: Subscriber) -> None:
        self._subscribers = list(subscribers)
        self._rewriting: Rewriting | None = None

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.remove(subscriber)

    def rewrite(self, rewriting: Rewriting) -> None:
        """From now on let every event go through this on its way to all subscribers."""
        self._rewriting = rewriting

    def emit(self, event: Event) -> None:
        if self._rewriting is not None:
            event = self._rewriting(event)
        for subscriber in self._subscribers:
            subscriber(event)

    # -- the two events that flows emit themselves

    def say(self, text: str, tone: Tone = Tone.PROGRESS) -> None:
        self.emit(Message(text=text, tone=tone))

    def log(self, text: str, level: Level = Level.INFO, host: str | None = None) -> None:
        self.emit(Log(level=level, text=text, host=host))
