"""The growth of a proxy's memory while it holds many connections."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.proxy.peers import HOST, Server

IDLE = 4000
UPLOADS = 1000
SETTLING_S = 1.0
_BODY_BYTES = 10_000_000
_SENT_BYTES = 64_000


def bytes_per_idle_connection(server: Server) -> float:
    """Resident bytes for each kept-alive connection that waits for its next request."""
    request = f"GET /1k HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()
    with _connections(server, 100, request) as some:
        _answers(some)
    before = server.resident()
    with _connections(server, IDLE, request) as all_of_them:
        _answers(all_of_them)
        time.sleep(SETTLING_S)
        return (server.resident() - before) / IDLE


def bytes_under_uploads(server: Server) -> int:
    """Resident bytes of all its processes while 1,000 clients are in the middle of sending 10 MB each."""
    head = f"POST /1k HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {_BODY_BYTES}\r\n\r\n".encode()
    with _connections(server, UPLOADS, head + b"x" * _SENT_BYTES):
        time.sleep(SETTLING_S)
        return server.resident()


@contextmanager
def _connections(server: Server, count: int, first_words: bytes) -> Iterator[list[socket.socket]]:
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            opened.append(connection)
            connection.sendall(first_words)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def _answers(connections: list[socket.socket]) -> None:
    for connection in connections:
        received = b""
        while not received.endswith(b"x" * 1000):
            chunk = connection.recv(65536)
            if not chunk:
                raise SystemExit("the proxy closed a connection that it should have kept")
            received += chunk
