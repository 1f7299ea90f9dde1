"""An ACME authority on loopback that makes no account: no real one that can be had puts its clients off."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAMES = ("newNonce", "newAccount", "newOrder", "revokeCert")


class RefusingAuthority(ThreadingHTTPServer):
    """Answers every order for an account with `status`, a problem of this `kind`, and `headers`; counts in `asked`."""

    daemon_threads = True

    def __init__(self, status: int, kind: str, headers: Mapping[str, str] = {}) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.headers, self.asked = status, headers, 0
        self.problem = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": "not now"}
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that makes a proxy use this authority instead of Let's Encrypt."""
        return {"KAMAL_PROXY_ACME_DIRECTORY": self.url}

    def dispose(self) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: RefusingAuthority

    def do_GET(self) -> None:
        directory = {name: f"{self.server.url}/{name}" for name in NAMES}
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(directory))

    def do_HEAD(self) -> None:
        self._answer(200, {"Replay-Nonce": "bm9uY2U"})

    def do_POST(self) -> None:
        self.server.asked += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        headers = {"Content-Type": "application/problem+json", **self.server.headers}
        self._answer(self.server.status, headers, json.dumps(self.server.problem))

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self, status: int, headers: Mapping[str, str], body: str = "") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())
