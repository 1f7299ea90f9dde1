"""Posts records to a collector from a thread, so that the run never waits for it (spec/cli.md 11.2)."""

from __future__ import annotations

import http.client
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

BATCH: Final = 100
FLUSH_SECONDS: Final = 5.0
CONNECT_SECONDS: Final = 2.0
READ_SECONDS: Final = 5.0
LAST_SECONDS: Final = 6.0
"""The longest that the end of a run waits for records that are not sent yet."""

MOST_WAITING: Final = 2000
"""The most records in memory; a command can print faster than any collector takes them."""


class Shipper:
    """Posts records to `ENDPOINT/v1/logs`, in batches as `body` writes them. `report` is told of the first failure."""

    def __init__(
        self, endpoint: str, body: Callable[[list[dict[str, Any]]], bytes], report: Callable[[str], None]
    ) -> None:
        address = urlsplit(endpoint)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"{endpoint} is no http:// or https:// address")
        self._host, self._port = address.hostname, address.port
        self._path = f"{address.path.removesuffix('/')}/v1/logs"
        self._connect = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        self._body = body
        self._report = report
        self._failed = False
        self._left_out = 0
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="otel", daemon=True)
        self._thread.start()

    def put(self, record: dict[str, Any]) -> None:
        self._queue.put(record)

    @property
    def behind(self) -> bool:
        """Return True where so many records wait that unimportant ones should be left out."""
        return self._queue.qsize() > MOST_WAITING

    def leave_out(self, records: int) -> None:
        """Count records that were left out, for a remark at the end."""
        self._left_out += records

    def close(self) -> bool:
        """Send the remaining records; return True where everything arrived."""
        if self._left_out:
            self._fail(f"{self._left_out:,} lines of output were left out: the collector takes them too slowly")
        self._queue.put(None)
        self._thread.join(LAST_SECONDS)
        if self._thread.is_alive():
            self._fail(f"TimeoutError: the collector did not take everything within {LAST_SECONDS:g} seconds")
        return not self._failed

    def _run(self) -> None:
        batch: list[dict[str, Any]] = []
        due = time.monotonic() + FLUSH_SECONDS
        while True:
            try:
                record = self._queue.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                ended, full = False, True
            else:
                ended = record is None
                if record is not None:
                    batch.append(record)
                full = len(batch) == BATCH
            if full or ended:
                self._send(batch)
                batch = []
                due = time.monotonic() + FLUSH_SECONDS
            if ended:
                return

    def _send(self, batch: list[dict[str, Any]]) -> None:
        if not batch:
            return
        connection = self._connect(self._host, self._port, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
            connection.sock.settimeout(READ_SECONDS)
            connection.request("POST", self._path, self._body(batch), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            if not http.HTTPStatus.OK <= answer.status < http.HTTPStatus.MULTIPLE_CHOICES:
                self._fail(f"HTTP {answer.status} {answer.reason}")
        except (OSError, ValueError, http.client.HTTPException) as error:
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def _fail(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            self._report(f"OTel log shipping failed: {why}")
