"""The end of a drain: once the command has returned, nothing new reaches the drained targets (spec/proxy.md 9.2)."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.http2 import DATA, END_STREAM, Http2, frame
from tests.conformance.proxy_process import IS_OURS, Proxy, child_processes, find_child, wait_until
from tests.conformance.raw_http import WEBSOCKET, Connection, head
from tests.conformance.raw_target import RawTarget
from tests.conformance.scripted_target import UPGRADE_REPLY, Target

pytestmark = pytest.mark.skipif(not IS_OURS, reason="about this implementation's processes")

BUFFERS = ("--buffer-requests", "--buffer-responses")
SHORT = ("--drain-timeout", "100ms")
FOR_EACH_WORKER = 15
ROLLED_OUT = [("Cookie", "kamal-rollout=me")]

SLOW_LOOK = ("lua/kamal/connection_killer.lua", "local PERIOD_S = 0.05", "local PERIOD_S = 0.7")
"""Workers that look for orders so seldom that a command which does not wait for them is seen for sure."""


@pytest.fixture
def slow_proxy(own_proxy: Proxy) -> Proxy:
    """A running proxy whose workers take their time to end what is in flight."""
    own_proxy.plant(*SLOW_LOOK)
    return own_proxy.start("--metrics-port", str(own_proxy.metrics_port))


def workers(proxy: Proxy) -> list[int]:
    return list(child_processes(find_child(proxy, "nginx: master")))


@contextlib.contextmanager
def frozen(*processes: int) -> Iterator[None]:
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def on_each_worker(proxy: Proxy, make: Callable[[], Connection]) -> dict[int, list[Connection]]:
    """Connections that every worker has some of, by worker: the others are frozen while they are made."""
    made = {}
    for worker in workers(proxy):
        with frozen(*(other for other in workers(proxy) if other != worker)):
            made[worker] = [make() for _ in range(FOR_EACH_WORKER)]
            for connection in made[worker]:
                assert connection.ask(path="/echo").status == 200
    return made


def in_flight(proxy: Proxy) -> int:
    with Connection(proxy.metrics_port) as connection:
        text = connection.ask(path="/metrics").body.decode()
    return sum(int(found) for found in re.findall(r"in_flight_requests\{[^}]*\} (\d+)", text))


class Uploads:
    """Half-sent uploads of which every worker has some, each on a connection of its own."""

    def __init__(self, proxy: Proxy, stack: ExitStack, headers: list[tuple[str, str]] | None = None) -> None:
        self.by_worker = on_each_worker(proxy, lambda: stack.enter_context(proxy.connect()))
        wait_until(lambda: in_flight(proxy) == 0)
        for connection in self.connections:
            connection.send(head("POST", "/upload", headers=[("Content-Length", "10"), *(headers or [])]) + b"12345")
        wait_until(lambda: in_flight(proxy) == len(self.connections))

    @property
    def connections(self) -> list[Connection]:
        return [connection for made in self.by_worker.values() for connection in made]

    def finish(self, connections: list[Connection] | None = None) -> set[int]:
        """Sends the other halves and returns the statuses of what comes back."""
        chosen = self.connections if connections is None else connections
        for connection in chosen:
            connection.send(b"67890")
        return {connection.read("POST").status for connection in chosen}


def uploads(target: Target) -> int:
    return sum(1 for request in target.requests if request.target == "/upload")


DRAINS = {
    "deploy": ("deploy", "s", "--target", "NEW", *SHORT, *BUFFERS),
    "pause": ("pause", "s", *SHORT),
    "stop": ("stop", "s", *SHORT),
}


@pytest.mark.parametrize("name", DRAINS)
def test_no_upload_reaches_its_target_after_a_drain(slow_proxy: Proxy, t1: Target, t2: Target, name: str) -> None:
    """An upload that is still being read when the drain ends gets the 504, however fast the rest comes (9.2)."""
    slow_proxy.deploy("s", t1, *BUFFERS)
    with ExitStack() as stack:
        sent = Uploads(slow_proxy, stack)
        slow_proxy.succeed(*(t2.address if word == "NEW" else word for word in DRAINS[name]))
        assert sent.finish() == {504}
    assert (uploads(t1), uploads(t2)) == (0, 0)


@pytest.mark.parametrize(("guards", "statuses"), [(0, {200}), (1, {504}), (2, {504})])
def test_each_of_two_guards_keeps_uploads_from_a_drained_target(
    own_proxy: Proxy, t1: Target, t2: Target, guards: int, statuses: set[int]
) -> None:
    """The cut count that all workers see and the command's wait for each worker both keep uploads out.

    Without both the test sees uploads.
    """
    own_proxy.plant(*SLOW_LOOK)
    if guards != 1:
        own_proxy.plant("command_handlers.py", "    while load:\n", "    while False:\n")
    if guards != 2:
        was_cut = "in_flight.was_cut(record.in_flight_slot, record.cuts)"
        own_proxy.plant("lua/kamal/balancer_phase.lua", was_cut, "false")
    own_proxy.start("--metrics-port", str(own_proxy.metrics_port)).deploy("s", t1, *BUFFERS)
    with ExitStack() as stack:
        sent = Uploads(own_proxy, stack)
        own_proxy.deploy("s", t2, *SHORT, *BUFFERS)
        assert sent.finish() >= statuses
    assert (uploads(t1) > 0) == (guards == 0)


def test_no_upload_reaches_a_replaced_rollout_target(slow_proxy: Proxy, t1: Target, t2: Target, t3: Target) -> None:
    """A rollout's targets are drained like any other (12)."""
    slow_proxy.deploy("s", t1, *BUFFERS)
    slow_proxy.succeed("rollout", "deploy", "s", "--target", t2.address)
    slow_proxy.succeed("rollout", "set", "s", "--list", "me")
    with ExitStack() as stack:
        sent = Uploads(slow_proxy, stack, ROLLED_OUT)
        slow_proxy.succeed("rollout", "deploy", "s", "--target", t3.address, *SHORT)
        assert sent.finish() == {504}
    assert (uploads(t1), uploads(t2), uploads(t3)) == (0, 0, 0)


def test_no_upload_over_http2_reaches_its_target_after_a_drain(
    slow_proxy: Proxy, t1: Target, t2: Target, certificates: Callable[[str], tuple[Path, Path]]
) -> None:
    """Many of them on one connection: each stream has its 504, and the connection goes on to the new target."""
    certificate, key = map(str, certificates("a.com"))
    files = ("--tls-certificate-path", certificate, "--tls-private-key-path", key)
    options = ("--host", "a.com", "--tls", *files, *BUFFERS)
    slow_proxy.deploy("s", t1, *options)
    fields = [(":method", "POST"), (":scheme", "https"), (":authority", "a.com"), (":path", "/upload")]
    with contextlib.closing(Http2(slow_proxy.https_port, "a.com")) as connection:
        streams = [connection.open(fields, ends=False) for _ in range(FOR_EACH_WORKER)]
        connection.send(b"".join(frame(DATA, 0, stream, b"12345") for stream in streams))
        wait_until(lambda: in_flight(slow_proxy) == FOR_EACH_WORKER)
        slow_proxy.deploy("s", t2, *SHORT, *options)
        connection.send(b"".join(frame(DATA, END_STREAM, stream, b"67890") for stream in streams))
        assert {connection.answer_to(stream).status for stream in streams} == {"504"}
        assert (uploads(t1), uploads(t2)) == (0, 0)
        assert connection.ask(fields, b"x") == "200"
    assert (uploads(t1), uploads(t2)) == (0, 1)


def test_requests_are_over_when_a_drain_returns(slow_proxy: Proxy, t1: Target, t2: Target) -> None:
    """The target has lost them all, and their clients have the 504 (9.2)."""
    slow_proxy.deploy("s", t1)
    with ExitStack() as stack:
        by_worker = on_each_worker(slow_proxy, lambda: stack.enter_context(slow_proxy.connect()))
        connections = [connection for made in by_worker.values() for connection in made]
        for connection in connections:
            connection.send(head("GET", "/sleep?s=30"))
        wait_until(lambda: in_flight(slow_proxy) == len(connections))
        slow_proxy.deploy("s", t2, *SHORT)
        at_once = time.monotonic()
        assert {connection.read().status for connection in connections} == {504}
        assert time.monotonic() - at_once < 0.3
        wait_until(lambda: t1.lost_clients == len(connections), 0.3)


def test_upgraded_connections_are_closed_when_a_drain_returns(slow_proxy: Proxy, t1: Target, t2: Target) -> None:
    """On every worker; nothing that a client sends is heard by the old target any more (9.2)."""
    slow_proxy.deploy("s", t1)
    with ExitStack() as stack:
        by_worker = on_each_worker(slow_proxy, lambda: stack.enter_context(slow_proxy.connect()))
        connections = [connection for made in by_worker.values() for connection in made]
        for connection in connections:
            connection.send(head("GET", "/ws", headers=WEBSOCKET))
            assert connection.read().status == 101
            assert connection.reader.readline() == b"hello from T1\n"
        slow_proxy.deploy("s", t2)
        assert all(connection.is_closed_within(0.1) for connection in connections)


def test_a_removed_service_gets_nothing_new(slow_proxy: Proxy, t1: Target) -> None:
    """`remove` drains nothing: uploads that began before are carried to their end, no request begins after it (9.1)."""
    slow_proxy.deploy("s", t1, *BUFFERS)
    with ExitStack() as stack:
        idle = on_each_worker(slow_proxy, lambda: stack.enter_context(slow_proxy.connect()))
        sent = Uploads(slow_proxy, stack)
        t1.requests.clear()
        slow_proxy.succeed("remove", "s")
        for connections in idle.values():
            for connection in connections:
                connection.send(head("GET", "/new"))
        assert {connection.read().status for made in idle.values() for connection in made} == {404}
        assert [request.target for request in t1.requests] == []
        assert sent.finish() == {200}
        assert {connection.ask(path="/new").status for connection in sent.connections} == {404}
    assert {request.target for request in t1.requests} == {"/upload"}


def test_a_frozen_worker_does_not_hold_a_command(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """The command returns in time and the log tells; nothing reaches the old target once the worker goes on."""
    own_proxy.start("--metrics-port", str(own_proxy.metrics_port)).deploy("s", t1, *BUFFERS)
    with ExitStack() as stack:
        sent = Uploads(own_proxy, stack)
        worker, connections = next(iter(sent.by_worker.items()))
        with frozen(worker):
            started = time.monotonic()
            own_proxy.deploy("s", t2, *SHORT, *BUFFERS)
            assert time.monotonic() - started < 5
            for connection in connections:
                connection.send(b"67890")
        assert {connection.read("POST").status for connection in connections} == {504}
        (record,) = own_proxy.log_lines("Requests outlive their drain")
        assert (record["level"], record["targets"]) == ("WARN", [t1.address])
    assert (uploads(t1), uploads(t2)) == (0, 0)


def test_a_dead_worker_does_not_hold_a_command(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """The requests of a dead worker are gone with it, and no command waits for them."""
    own_proxy.start("--metrics-port", str(own_proxy.metrics_port)).deploy("s", t1, *BUFFERS)
    with ExitStack() as stack:
        sent = Uploads(own_proxy, stack)
        deploying = own_proxy.begin("deploy", "s", "--target", t2.address, "--drain-timeout", "20s", *BUFFERS)
        wait_until(lambda: own_proxy.ask().served_by == "T2")
        worker, *others = sent.by_worker
        for other in others:
            assert sent.finish(sent.by_worker[other]) == {200}
        assert deploying.poll() is None
        started = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        assert deploying.wait(timeout=10) == 0
        assert time.monotonic() - started < 2
        deploying.communicate()
    assert own_proxy.log_lines("Requests outlive their drain") == []


def test_a_client_that_does_not_read_does_not_hold_a_command(own_proxy: Proxy, t2: Target) -> None:
    """Its WebSocket's target is free at once, whatever is still on its way to the client (9.2)."""
    target = RawTarget()
    target.reply, target.holds = UPGRADE_REPLY + b"x" * 20_000_000, True
    own_proxy.start().succeed("deploy", "s", "--target", target.address)
    try:
        with own_proxy.connect() as connection:
            connection.send(head("GET", "/ws", headers=WEBSOCKET))
            assert connection.read().status == 101
            started = time.monotonic()
            own_proxy.deploy("s", t2)
            assert time.monotonic() - started < 1.5
    finally:
        target.close()
    assert own_proxy.log_lines("Requests outlive their drain") == []
