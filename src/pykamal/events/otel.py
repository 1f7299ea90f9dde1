"""Sends the log of one command as OpenTelemetry records (`output.otel` of deploy.yml; spec/cli.md 11.2).

The records are the JSON of OTLP/HTTP, which is small enough to be written without OpenTelemetry's own library.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Final

from pykamal.events.log_lines import log_lines
from pykamal.events.otel_shipping import Shipper
from pykamal.events.types import CommandOutput, Event, Level, Message, RunFailed, RunStarted, Tone

Record = dict[str, Any]

_SEVERITIES: Final = {Level.DEBUG: 5, Level.INFO: 9, Level.WARN: 13, Level.ERROR: 17}
_TONES: Final = {Tone.PROGRESS: Level.INFO, Tone.WARNING: Level.WARN, Tone.PROBLEM: Level.ERROR}
_DEPLOYMENTS: Final = frozenset({"deploy", "redeploy", "rollback", "setup"})


class OtelLog:
    """A `RunLog` that sends a record for each line, and one each for the command's start and end, to a collector.

    `tool_version` is the Kamal version that is told. Raises `ValueError` for an endpoint that is no HTTP address;
    `report` is told of the first failure to send.
    """

    def __init__(self, endpoint: str, *, command: str, tool_version: str, report: Callable[[str], None]) -> None:
        self._endpoint = endpoint
        self._command = command
        self._tool_version = tool_version
        self._run_id = str(uuid.uuid4())
        self._resource = {"service.name": "kamal", "service.version": tool_version, "kamal.run_id": self._run_id}
        self._service: str | None = None
        self._shipper = Shipper(endpoint, self._body, report)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._begin(event)
        if isinstance(event, CommandOutput) and self._shipper.behind:
            self._shipper.leave_out(event.text.count("\n") + 1)
            return
        for record in _records(event):
            self._shipper.put(record)

    def close(self, failure: RunFailed | None, seconds: float) -> str | None:
        name = "kamal.complete" if failure is None else "kamal.failed"
        attributes: dict[str, str | float] = {"kamal.runtime": round(seconds, 1)}
        if failure is not None:
            attributes |= {"exception.type": failure.label, "exception.message": failure.message}
        if self._command in _DEPLOYMENTS:
            attributes["deployment.status"] = "succeeded" if failure is None else "failed"
        self._mark(name, time.time(), Level.INFO if failure is None else Level.ERROR, attributes)
        return f"Logs sent to {self._endpoint}" if self._shipper.close() else None

    # -- what is known of the run

    def _begin(self, event: RunStarted) -> None:
        tags = {
            "service.namespace": event.service,
            "deployment.environment.name": event.destination,
            "kamal.deploy_version": event.version,
            "kamal.performer": event.performer,
        }
        # A new mapping, since the shipper's thread may be reading the old one.
        self._resource = self._resource | {name: value for name, value in tags.items() if value is not None}
        self._service = event.service
        self._mark("kamal.start", event.at, Level.INFO, {})

    def _mark(self, name: str, at: float, level: Level, attributes: dict[str, str | float]) -> None:
        """Return a record of the command itself."""
        known: dict[str, str | float] = {"kamal.command": self._command}
        if self._command in _DEPLOYMENTS:
            known["deployment.id"] = self._run_id
            known["deployment.name"] = f"{self._command} {self._service}" if self._service else self._command
        self._shipper.put({**_record(at, level, name, known | attributes), "eventName": name})

    def _body(self, records: list[Record]) -> bytes:
        scope = {"name": "kamal", "version": self._tool_version}
        logs = {
            "resource": {"attributes": _attributes(self._resource)},
            "scopeLogs": [{"scope": scope, "logRecords": records}],
        }
        return json.dumps({"resourceLogs": [logs]}).encode()


def _records(event: Event) -> Iterator[Record]:
    if isinstance(event, Message):
        yield _record(event.at, _TONES[event.tone], event.text, {})
    for line in log_lines(event):
        attributes = {"server.address": line.host, "log.iostream": line.stream.value if line.stream else None}
        known = {name: value for name, value in attributes.items() if value is not None}
        yield _record(event.at, line.level, line.text, known)


def _record(at: float, level: Level, text: str, attributes: dict[str, Any]) -> Record:
    return {
        "timeUnixNano": f"{round(at * 1_000_000)}000",
        "observedTimeUnixNano": str(time.time_ns()),
        "severityNumber": _SEVERITIES[level],
        "severityText": level.name,
        "body": {"stringValue": text},
        "attributes": _attributes(attributes),
    }


def _attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"doubleValue" if isinstance(value, float) else "stringValue": value}}
        for key, value in values.items()
    ]
