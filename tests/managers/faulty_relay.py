"""A relay in front of a real server over HTTP, which counts requests and breaks the answers that have values."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from pykamal.secrets.conformance import Fault
from tests.managers.served import Served

BROKEN: Final = frozenset({Fault.SERVER_GONE, Fault.HALF_AN_ANSWER, Fault.NO_ANSWER, Fault.RATE_LIMIT})
"""The faults that the relay can cause."""

_SECONDS_OF_SILENCE: Final = 20


class FaultyRelay(Served):
    """A server on loopback that hands requests on to another. Answers with one of `values` suffer from `fault`."""

    def __init__(self, port: int) -> None:
        self.upstream = port
        self.values: tuple[bytes, ...] = ()
        self.fault: Fault | None = None
        self.requests = 0
        self.lock = threading.Lock()
        relay = self

        class Handler(_Handler):
            owner = relay

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def expect(self, values: Iterable[str]) -> None:
        """Take these for the values, of which JSON shows the first characters as they are."""
        self.values = tuple(value[:20].encode() for value in values if value)

    def concerns(self, body: bytes) -> bool:
        return self.fault is not None and any(value in body for value in self.values)


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyRelay

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._relay()

    def do_POST(self) -> None:
        self._relay()

    def do_PUT(self) -> None:
        self._relay()

    def _relay(self) -> None:
        relay = self.owner
        with relay.lock:
            relay.requests += 1
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        upstream = http.client.HTTPConnection("127.0.0.1", relay.upstream, timeout=30)
        try:
            upstream.request(self.command, self.path, body=content or None, headers=dict(self.headers.items()))
            answer = upstream.getresponse()
            body = answer.read()
        finally:
            upstream.close()
        fault = relay.fault if relay.concerns(body) else None
        if fault is Fault.NO_ANSWER:
            time.sleep(_SECONDS_OF_SILENCE)
        status, sent = (429, b"{}") if fault is Fault.RATE_LIMIT else (answer.status, body)
        if fault in (Fault.SERVER_GONE, Fault.HALF_AN_ANSWER):
            sent = body[: len(body) // 2]
        self.send_response(status)
        for name, value in answer.getheaders():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if fault is Fault.SERVER_GONE else len(sent)))
        self.end_headers()
        self.wfile.write(sent)
