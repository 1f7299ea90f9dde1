"""Writes events for machines, one JSON object a line (`--output json`)."""

from __future__ import annotations

import dataclasses
import re
from enum import Enum
from typing import Any, Final, TextIO

from pykamal.core.printable import json_text
from pykamal.events.types import EVENT_FORMAT, Event, Level

_WORD_START: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class JsonLines:
    """A subscriber that writes every event, whatever the verbosity; see `pykamal.events.types` for the fields."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __call__(self, event: Event) -> None:
        self.stream.write(json_text(as_mapping(event)) + "\n")
        self.stream.flush()


def as_mapping(event: Event) -> dict[str, Any]:
    """Return `version` (of the format), `event` (the kind in kebab case) and the event's fields as JSON values."""
    fields = {field.name: _plain(getattr(event, field.name)) for field in dataclasses.fields(event)}
    return {"version": EVENT_FORMAT, "event": kind(type(event)), **_renamed(fields)}


def kind(event_type: type[Event]) -> str:
    """Return the event's class name in kebab case: `CommandStarted` is `command-started`."""
    return _WORD_START.sub("-", event_type.__name__).lower()


def _renamed(fields: dict[str, Any]) -> dict[str, Any]:
    # The envelope's `version` is the format's; an event's own version is the application's.
    return {("app_version" if name == "version" else name): value for name, value in fields.items()}


def _plain(value: object) -> object:
    if isinstance(value, Level):
        return value.name.lower()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value
