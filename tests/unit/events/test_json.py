"""Events for machines."""

from __future__ import annotations

import dataclasses
import io
import json
from typing import Any

import pytest

from pykamal.events import CommandStarted, Event, HostResult, Level, Log, Message, RunFailed, RunStarted, types
from pykamal.events.json_lines import JsonLines, as_mapping, kind

pytestmark = pytest.mark.unit

EVENT_TYPES = [
    value
    for value in vars(types).values()
    if isinstance(value, type) and issubclass(value, Event) and value is not Event
]


def test_one_object_a_line() -> None:
    """Text with line breaks and other scripts stays on one line, readable (cli.md 4, `--output json`)."""
    stream = io.StringIO()
    write = JsonLines(stream)
    write(Message(at=1.5, text="one\ntwo é"))
    write(Log(at=2, level=Level.WARN, text="x", host="h"))
    first, second = stream.getvalue().splitlines()
    assert first == '{"version": 1, "event": "message", "at": 1.5, "text": "one\\ntwo é", "tone": "progress"}'
    assert json.loads(second) == {
        "version": 1,
        "event": "log",
        "at": 2,
        "level": "warn",
        "text": "x",
        "host": "h",
    }


def test_bytes_that_are_no_text_are_replaced() -> None:
    """A raw result may hold any bytes (events/types.py); JSON cannot."""
    stream = io.StringIO()
    JsonLines(stream)(HostResult(host="h", text=b"\xff\xc3\xa9".decode("utf-8", "surrogateescape"), raw=True))
    assert json.loads(stream.getvalue())["text"] == "\ufffdé"


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_kinds_are_kebab_case(event_type: type[Event]) -> None:
    """Every event has a name of its own in kebab case (events/types.py)."""
    name = kind(event_type)
    assert name.replace("-", "").isalpha()
    assert name == name.lower()
    assert sum(kind(other) == name for other in EVENT_TYPES) == 1


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_no_field_hides_the_envelope(event_type: type[Event]) -> None:
    """The first two keys are the format's version and the kind, for every event."""
    required: dict[str, Any] = {
        field.name: "text"
        for field in dataclasses.fields(event_type)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    mapping = as_mapping(event_type(**required))
    assert list(mapping.items())[:2] == [("version", types.EVENT_FORMAT), ("event", kind(event_type))]
    assert len(mapping) == len(dataclasses.fields(event_type)) + 2


def test_every_field_is_there() -> None:
    """Readers find every field, null where there is nothing."""
    started = as_mapping(CommandStarted(at=1, id="a", command="true", host=None, step="look"))
    assert started == {
        "version": 1,
        "event": "command-started",
        "effect": "change",
        "at": 1,
        "id": "a",
        "command": "true",
        "host": None,
        "user": None,
        "quiet": False,
        "step": "look",
        "exchange": 0,
        "shown": False,
    }


def test_versions_do_not_collide() -> None:
    """`version` is the format's; the app's is `app_version`."""
    assert as_mapping(RunStarted(operation="deploy", version="abc"))["app_version"] == "abc"


def test_results_and_errors_are_events_too() -> None:
    """A machine reads as an event all that a person reads on standard output."""
    assert as_mapping(HostResult(at=1, host="h", text="x"))["kind"] == "App"
    failed = as_mapping(
        RunFailed(operation="deploy", identifier="deploy-locked", label="L", message="M", details=("a", "b"))
    )
    assert failed["event"] == "run-failed"
    assert failed["identifier"] == "deploy-locked"
    assert failed["details"] == ["a", "b"]
