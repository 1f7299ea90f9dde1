"""Delivers events to subscribers: synchronously, in order and sanitized."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pykamal.events.sanitizing import AnyEvent, KnownSecrets, Sanitizer
from pykamal.events.types import Event, Level, Log, Message, Tone

Subscriber = Callable[[Event], None]
Ignores = Callable[[Event], bool]


class Bus:
    """Delivers each event to every subscriber, in the order of subscription. A subscriber must not block.

    No event reaches a subscriber before it was sanitized: no control characters for a terminal, no secrets.
    """

    def __init__(self, *subscribers: Subscriber) -> None:
        self._subscribers: dict[Subscriber, Ignores] = dict.fromkeys(subscribers, _ignores_nothing)
        self._sanitizer = Sanitizer()

    def subscribe(self, subscriber: Subscriber, *, ignores: Ignores | None = None) -> None:
        """Add a subscriber. `ignores` returns True for events that it does not need, which then cost nothing."""
        self._subscribers[subscriber] = ignores or _ignores_nothing

    def unsubscribe(self, subscriber: Subscriber) -> None:
        del self._subscribers[subscriber]

    def hide(self, secrets: KnownSecrets) -> None:
        """Mask these secrets from now on. `secrets` is called at each event."""
        self._sanitizer = Sanitizer(secrets)

    def without(self, ignored: Ignores) -> Bus:
        """A bus to the same subscribers that hands on no events which are `ignored`."""
        bus = Bus()
        bus._sanitizer = self._sanitizer
        bus._subscribers = {
            subscriber: partial(_either, ignored, ignores) for subscriber, ignores in self._subscribers.items()
        }
        return bus

    def sanitized(self, event: AnyEvent) -> AnyEvent:
        """Return the event as subscribers would get it."""
        return self._sanitizer.event(event)

    def sanitized_text(self, text: str) -> str:
        """Sanitize a text that is not part of an event, such as a line of a host's audit log."""
        return self._sanitizer.text(text)

    def emit(self, event: Event) -> None:
        if all(ignores(event) for ignores in self._subscribers.values()):
            return
        for harmless in self._sanitizer.events(event):
            for subscriber, ignores in tuple(self._subscribers.items()):
                if not ignores(harmless):
                    subscriber(harmless)

    # -- the two events that flows emit themselves

    def say(self, text: str, tone: Tone = Tone.PROGRESS) -> None:
        self.emit(Message(text=text, tone=tone))

    def log(self, text: str, level: Level = Level.INFO, host: str | None = None) -> None:
        self.emit(Log(level=level, text=text, host=host))


def _either(first: Ignores, second: Ignores, event: Event) -> bool:
    return first(event) or second(event)


def _ignores_nothing(_event: Event) -> bool:
    return False
