"""OpenTelemetry records, taken by a real HTTP server of this machine."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator

import pytest

from pykamal.events import CommandOutput, CommandStarted, Level, Log, Message, Result, RunFailed, RunStarted, Stream
from pykamal.events import otel_shipping as shipping
from pykamal.events.otel import OtelLog
from tests.collector import Collector, attributes, collecting

pytestmark = pytest.mark.unit

STARTED = RunStarted(
    operation="deploy",
    service="app",
    destination="staging",
    version="0123456789",
    service_version="app@0123456",
    performer="ada@example.com",
    at=1_700_000_000.25,
)
FAILURE = RunFailed(operation="deploy", identifier="x", label="Kamal::Cli::BootError", message="no health")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as server:
        yield server


@pytest.fixture
def reports() -> list[str]:
    return []


def opened(endpoint: str, reports: list[str], command: str = "deploy") -> OtelLog:
    return OtelLog(endpoint, command=command, tool_version="2.12.0", report=reports.append)


def test_the_request(collector: Collector, reports: list[str]) -> None:
    """A POST of JSON to ENDPOINT/v1/logs, one trailing slash removed; the resource and the scope (cli.md 11.2)."""
    log = opened(f"{collector.endpoint}/", reports)
    log(STARTED)
    assert log.close(None, 1.5) == f"Logs sent to {collector.endpoint}/"
    ((path, kind, body),) = collector.requests
    assert (path, kind) == ("/v1/logs", "application/json")
    assert list(body) == ["resourceLogs"]
    (logs,) = body["resourceLogs"]
    (scoped,) = logs["scopeLogs"]
    assert scoped["scope"] == {"name": "kamal", "version": "2.12.0"}
    assert all(list(each["value"]) == ["stringValue"] for each in logs["resource"]["attributes"])
    resource = attributes(logs["resource"])
    assert len(resource.pop("kamal.run_id")) == 36
    assert resource == {
        "service.name": "kamal",
        "service.version": "2.12.0",
        "service.namespace": "app",
        "deployment.environment.name": "staging",
        "kamal.deploy_version": "0123456789",
        "kamal.performer": "ada@example.com",
    }
    assert reports == []


def test_records(collector: Collector, reports: list[str]) -> None:
    """One record a line, with severity, host and stream; no results (cli.md 11.2)."""
    log = opened(collector.endpoint, reports, "app boot")
    log(Message(text="Doing...", at=1_700_000_000.25))
    log(CommandStarted(id="0cc54dd8", command="docker ps", host="10.0.0.1"))
    log(CommandOutput(id="0cc54dd8", host="10.0.0.1", stream=Stream.STDERR, text="one\ntwo\n"))
    log(Log(level=Level.ERROR, text="Failed to boot web on 10.0.0.1"))
    log(Result(text="a result"))
    log.close(None, 1)
    first, *_, end = collector.records
    assert first["timeUnixNano"] == "1700000000250000000"
    assert first["observedTimeUnixNano"].isdigit()
    assert end["eventName"] == "kamal.complete"
    told = [
        (record["severityNumber"], record["severityText"], record["body"]["stringValue"], attributes(record))
        for record in collector.records[:-1]
    ]
    host = {"server.address": "10.0.0.1"}
    assert told == [
        (9, "INFO", "Doing...", {}),
        (9, "INFO", "Running docker ps on 10.0.0.1", host),
        (5, "DEBUG", "Command: docker ps", host),
        (5, "DEBUG", "one", {**host, "log.iostream": "stderr"}),
        (5, "DEBUG", "two", {**host, "log.iostream": "stderr"}),
        (17, "ERROR", "Failed to boot web on 10.0.0.1", {}),
    ]


def test_start_and_failure_of_a_deployment(collector: Collector, reports: list[str]) -> None:
    """The events `kamal.start` and `kamal.failed` carry what tells deployments apart (cli.md 11.2)."""
    log = opened(collector.endpoint, reports)
    log(STARTED)
    log.close(FAILURE, 2.5)
    start, end = collector.records
    run_id = attributes(collector.logs[0]["resource"])["kamal.run_id"]
    known = {"kamal.command": "deploy", "deployment.id": run_id, "deployment.name": "deploy app"}
    assert (start["eventName"], start["body"], start["severityText"]) == (
        "kamal.start",
        {"stringValue": "kamal.start"},
        "INFO",
    )
    assert attributes(start) == known
    assert (end["eventName"], end["severityNumber"]) == ("kamal.failed", 17)
    assert attributes(end) == {
        **known,
        "kamal.runtime": 2.5,
        "exception.type": "Kamal::Cli::BootError",
        "exception.message": "no health",
        "deployment.status": "failed",
    }
    assert {"key": "kamal.runtime", "value": {"doubleValue": 2.5}} in end["attributes"]


def test_other_commands_are_no_deployments(collector: Collector, reports: list[str]) -> None:
    """Only deploy, redeploy, rollback and setup have `deployment.*` (cli.md 11.2)."""
    log = opened(collector.endpoint, reports, "app stop")
    log(STARTED)
    log.close(None, 2.5)
    start, end = collector.records
    assert attributes(start) == {"kamal.command": "app stop"}
    assert attributes(end) == {"kamal.command": "app stop", "kamal.runtime": 2.5}


def test_batches(collector: Collector, reports: list[str]) -> None:
    """At most 100 records a request, in order (cli.md 11.2)."""
    log = opened(collector.endpoint, reports, "app stop")
    for number in range(250):
        log(Message(text=str(number)))
    log.close(None, 1)
    assert [len(logs["scopeLogs"][0]["logRecords"]) for logs in collector.logs] == [100, 100, 51]
    assert [record["body"]["stringValue"] for record in collector.records[:-1]] == [str(n) for n in range(250)]


def test_what_waits_is_sent_after_a_while(
    collector: Collector, reports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that does not fill up goes out all the same (cli.md 11.2: every 5 s)."""
    assert shipping.FLUSH_SECONDS == 5
    monkeypatch.setattr(shipping, "FLUSH_SECONDS", 0.05)
    log = opened(collector.endpoint, reports)
    log(Message(text="early"))
    waited = threading.Event()
    for _ in range(200):
        if collector.requests:
            break
        waited.wait(0.05)
    assert [record["body"]["stringValue"] for record in collector.records] == ["early"]
    log.close(None, 1)


def test_a_refusing_collector_is_reported_once(collector: Collector, reports: list[str]) -> None:
    """Only the first failure is told; nothing is said to have been sent (cli.md 11.2)."""
    collector.status = 500
    log = opened(collector.endpoint, reports)
    for number in range(250):
        log(Message(text=str(number)))
    assert log.close(None, 1) is None
    assert len(collector.requests) == 3
    assert reports == ["OTel log shipping failed: HTTP 500 Internal Server Error"]


def test_nobody_at_the_endpoint(reports: list[str]) -> None:
    """A collector that is away never stops the run (cli.md 11.2)."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    log = opened(f"http://127.0.0.1:{port}", reports)
    log(Message(text="x"))
    assert log.close(None, 1) is None
    assert reports == ["OTel log shipping failed: ConnectionRefusedError: [Errno 111] Connection refused"]


def test_a_silent_collector_is_waited_for_only_so_long(reports: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a run waits up to 6 s for what is still to be sent (cli.md 11.2)."""
    limits = (shipping.CONNECT_SECONDS, shipping.READ_SECONDS, shipping.LAST_SECONDS)
    assert limits == (2, 5, 6)
    monkeypatch.setattr(shipping, "LAST_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        log = opened(f"http://127.0.0.1:{silent.getsockname()[1]}", reports)
        assert log.close(None, 1) is None
        assert reports == [
            "OTel log shipping failed: TimeoutError: the collector did not take everything within 0.1 seconds"
        ]
        silent.accept()[0].close()
    log._shipper._thread.join()


@pytest.mark.parametrize("endpoint", ["collector:4318", "ftp://collector", "http://", "http://collector:port"])
def test_an_endpoint_that_is_no_address(endpoint: str, reports: list[str]) -> None:
    """Found before the first record; who asked for the log tells of it (cli.md 11)."""
    with pytest.raises(ValueError, match=r"http://|port"):
        opened(endpoint, reports)


def test_output_faster_than_the_collector(reports: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Output that cannot be sent in time does not fill the memory: its lines are dropped, counted and reported."""
    monkeypatch.setattr(shipping, "LAST_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        log = opened(f"http://127.0.0.1:{silent.getsockname()[1]}", reports)
        for _ in range(100):
            log(CommandOutput(id="a", host="h", stream=Stream.STDOUT, text="x\n" * 1000))
        log(Message(text="what people are told is never left out"))
        assert log._shipper._queue.qsize() < 2 * shipping.MOST_WAITING
        assert log.close(None, 1) is None
    assert len(reports) == 1
    assert re.search(r"failed: 9\d,\d{3} lines of output were left out", reports[0])
