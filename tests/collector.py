"""A collector of OpenTelemetry logs: a real HTTP server of this machine, in a thread of the test."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Collector(http.server.ThreadingHTTPServer):
    """`requests` holds path, content type and JSON of each request, in the order of arrival; `status` is the answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, str | None, Any]] = []
        self.status = 200

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def logs(self) -> list[Any]:
        return [body["resourceLogs"][0] for _, _, body in self.requests]

    @property
    def records(self) -> list[Any]:
        return [record for logs in self.logs for record in logs["scopeLogs"][0]["logRecords"]]

    @property
    def texts(self) -> list[str]:
        return [record["body"]["stringValue"] for record in self.records]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, self.headers["Content-Type"], body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        """Nothing on standard error."""


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def attributes(holder: Any) -> dict[str, Any]:
    """Of a record or a resource, as a plain mapping."""
    return {each["key"]: next(iter(each["value"].values())) for each in holder["attributes"]}
