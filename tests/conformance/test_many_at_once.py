"""Requests of every kind at once: none is taken for another, none is left behind (spec/proxy.md 9.2, 18, 19, 24.1)."""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.conformance.proxy_process import Proxy, wait_until
from tests.conformance.raw_http import WEBSOCKET, Connection, head
from tests.conformance.scripted_target import Target

BUFFERS = ("--buffer-requests", "--buffer-responses")
KAMAL = (*BUFFERS, *(f"--log-request-header={name}" for name in ("Cache-Control", "Last-Modified", "User-Agent")))

SERVICES = {
    "kamal": KAMAL,
    "bare": (),
    "unlogged": BUFFERS,
    "logged": (*BUFFERS, "--log-request-header", "X-A"),
    "private": (*KAMAL, "--forward-headers=false"),
    "limited": (*KAMAL, "--max-request-body", "1000", "--max-response-body", "100000"),
    "prefixed": (*KAMAL, "--path-prefix", "/prefixed", "--strip-path-prefix=false"),
    "stripped": (*KAMAL, "--path-prefix", "/stripped"),
    "stopped": KAMAL,
    "held": KAMAL,
    "broken": KAMAL,
}
"""By their flags; each is asked for paths that begin with its name."""

STATUSES = {"stopped": 503, "held": 504, "broken": 502, "unknown": 404}


def whole(connection: Connection, service: str, path: str) -> None:
    """One request after the other on a connection, each with an answer of its own."""
    for method, body in (("GET", None), ("POST", b"x" * 900), ("HEAD", None), ("GET", None)):
        response = connection.ask(method, path, host=f"{service}.com", body=body)
        assert response.status == STATUSES.get(service, 200)
        if response.status == 200 and method != "HEAD":
            assert path.endswith(response.seen["target"])


def leave(request: bytes, lines: int = 0) -> Callable[[Connection, str, str], None]:
    """A client that sends this and is gone, perhaps after some lines of an answer."""

    def act(connection: Connection, service: str, path: str) -> None:
        connection.send(request.replace(b"/path", path.encode()).replace(b"example.com", f"{service}.com".encode()))
        with contextlib.suppress(ConnectionError):
            for _ in range(lines):
                connection.reader.readline()
        time.sleep(0.02)

    return act


HALF = [("Content-Length", "100")]
ACTS = [
    whole,
    leave(head("GET", "/path")[:12]),
    leave(head("GET", "/path")[:-2]),
    leave(head("GET", "/path") * 3),
    leave(head("GET", "/path/sleep?s=9")),
    leave(head("GET", "/path/sleep?s=9", headers=[("Accept", "text/event-stream")])),
    leave(head("GET", "/path/stream?n=99&d=0.1"), lines=5),
    leave(head("GET", "/path", headers=HALF) + b"some"),
    leave(head("POST", "/path", headers=HALF) + b"some"),
    leave(head("POST", "/path", headers=[("Transfer-Encoding", "chunked")]) + b"5\r\nso"),
    leave(head("GET", "/path/die") + head("GET", "/path/garbage"), lines=1),
    leave(head("GET", "/path/halfway"), lines=1),
    leave(head("GET", "/path/ws", headers=WEBSOCKET), lines=1),
    leave(b"GET /path/%zz HTTP/1.1\r\nHost: example.com\r\n\r\n", lines=1),
]


def test_many_at_once(own_proxy: Proxy, t1: Target, t2: Target) -> None:
    """Each client gets the answer to its own request, and each log line is of that request.

    Nothing stays in flight, and so no drain has anything to wait for.
    """
    proxy = own_proxy.start("--metrics-port", str(own_proxy.metrics_port))
    for service, flags in SERVICES.items():
        proxy.deploy(service, t1, "--host", f"{service}.com", *flags)
    proxy.succeed("stop", "stopped")
    proxy.succeed("pause", "held", "--max-pause", "100ms")
    proxy.deploy("broken", t2, "--host", "broken.com", *KAMAL)
    t2.close()

    def converse(number: int, service: str, act: Callable[[Connection, str, str], None]) -> None:
        with proxy.connect() as connection:
            act(connection, service, f"/{service}/{number}")
            if number % 3 == 0:
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    jobs = list(itertools.product([*SERVICES, "unknown"], ACTS)) * 3
    random.Random(24).shuffle(jobs)
    with ThreadPoolExecutor(12) as pool:
        for task in [pool.submit(converse, number, *job) for number, job in enumerate(jobs)]:
            task.result()
    wait_until(lambda: set(re.findall(r"in_flight_requests\{.*\} (\d+)", metrics(proxy))) == {"0"}, 10)
    for service in ("kamal", "bare", "unlogged", "logged", "private", "limited"):
        started = time.monotonic()
        proxy.deploy(service, t1, "--host", f"{service}.com", *SERVICES[service])
        assert time.monotonic() - started < 2
    for record in proxy.log_lines("Request"):
        assert record["service"] == record["path"].split("/")[1].replace("unknown", ""), record
        assert record["service"] not in ("", "held", "stopped") or not record["target"], record


def metrics(proxy: Proxy) -> str:
    with Connection(proxy.metrics_port) as connection:
        return connection.ask(path="/metrics").body.decode()
