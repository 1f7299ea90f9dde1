"""The load generator's process: sends requests at a constant rate, even to a server that falls behind.

It runs as a script (`python -I -S load_worker.py SETTINGS.json`), imports nothing of ours, and writes its summary (see
load_generator.py) twice a second and at its end, which SIGTERM asks for.

A request fails when its status is not 200, when its connection is refused, reset or closed before the whole answer, or
when the answer takes too long. A kept-alive connection that the server closes while no request is on it does not count.
"""

from __future__ import annotations

import asyncio
import json
import random
import select
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SUMMARY_SECONDS = 0.5
MOST_FAILURES_LISTED = 500
HEAD_END = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """A connection with one request at a time. `answered` gets the status, the version and the body's length."""

    def __init__(self, pool: list[Connection]) -> None:
        self.pool = pool
        self.answer: asyncio.Future[tuple[int, str]] | None = None
        self.received = b""
        self.closed = False
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def request(self, head: bytes) -> asyncio.Future[tuple[int, str]]:
        assert self.transport is not None
        self.answer = asyncio.get_running_loop().create_future()
        self.received = b""
        self.transport.write(head)
        return self.answer

    def usable(self) -> bool:
        """Return True where nothing arrived while idle: data that arrives then announces the server's close."""
        if self.closed or self.transport is None or self.transport.is_closing():
            return False
        descriptor = self.transport.get_extra_info("socket").fileno()
        poll = select.poll()  # unlike select it takes descriptors above 1023
        poll.register(descriptor, select.POLLIN)
        return not poll.poll(0)

    def data_received(self, data: bytes) -> None:
        self.received += data
        end = self.received.find(HEAD_END)
        if end < 0 or self.answer is None or self.answer.done():
            return
        head = self.received[:end].decode("latin-1")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = self.received[end + len(HEAD_END) :]
        if "content-length" in fields:
            whole = len(body) >= int(fields["content-length"])
        else:
            whole = body.endswith(b"0\r\n\r\n")
        if whole:
            if fields.get("connection", "").lower() == "close":
                self.close()
            self.answer.set_result((int(head.split(" ", 2)[1]), fields.get("x-version", "")))

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if self in self.pool:
            self.pool.remove(self)
        if self.answer is not None and not self.answer.done():
            reason = "closed" if exc is None else type(exc).__name__
            stage = "in the middle of the answer" if self.received else "without an answer"
            self.answer.set_exception(ConnectionError(f"{reason} {stage}"))

    def close(self) -> None:
        self.closed = True
        if self.transport is not None:
            self.transport.abort()


class Target:
    """An address under load, and its results."""

    def __init__(self, url: str, settings: dict[str, Any], started: float) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.url = url
        self.address = (parts.hostname, parts.port or 80)
        self.settings = settings
        self.started = started
        self.idle: list[Connection] = []
        host = settings["host_header"] or parts.netloc
        self.normal = _request(parts.path or "/", host)
        self.slow = _request(f"/slow?seconds={settings['slow_seconds']}", host)
        self.sent = self.in_flight = 0
        self.outcomes: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.failures: list[dict[str, Any]] = []
        self.versions: dict[str, dict[str, Any]] = {}

    def launch(self, due: float, random_source: random.Random) -> asyncio.Task[None]:
        self.sent += 1
        slow = random_source.random() < self.settings["slow_fraction"]
        keep = not slow and random_source.random() < self.settings["keep_alive_fraction"]
        return asyncio.create_task(self._exchange(due, slow=slow, keep=keep))

    async def _exchange(self, due: float, *, slow: bool, keep: bool) -> None:
        self.in_flight += 1
        connection: Connection | None = None
        limit = self.settings["timeout_seconds"] + (self.settings["slow_seconds"] if slow else 0)
        reason = None
        try:
            async with asyncio.timeout(limit):
                connection = await self._connection(keep=keep)
                status, version = await connection.request(self.slow if slow else self.normal)
        except TimeoutError:
            reason = "timed out"
        except OSError as error:
            reason = str(error) if type(error) is ConnectionError else type(error).__name__
        else:
            self.statuses[str(status)] += 1
            if status != 200:
                reason = f"status {status}"
            self._saw(version)
        self.in_flight -= 1
        now = time.monotonic()
        self._record(reason, now, due, slow=slow, keep=keep)
        if connection is not None:
            if keep and reason is None and not connection.closed:
                self.idle.append(connection)
            else:
                connection.close()

    async def _connection(self, *, keep: bool) -> Connection:
        while keep and self.idle:
            connection = self.idle.pop()
            if connection.usable():
                return connection
            connection.close()
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: Connection(self.idle), *self.address)
        return made

    def _record(self, reason: str | None, now: float, due: float, *, slow: bool, keep: bool) -> None:
        if reason is None:
            self.outcomes["ok"] += 1
            if not slow:
                self.latencies_ms.append((now - due) * 1000)
            return
        self.outcomes["failed"] += 1
        if len(self.failures) < MOST_FAILURES_LISTED:
            at = round(now - self.started, 3)
            self.failures.append({"at": at, "target": self.url, "reason": reason, "kept_alive": keep, "slow": slow})

    def _saw(self, version: str) -> None:
        at = round(time.monotonic() - self.started, 3)
        seen = self.versions.setdefault(version, {"version": version, "first": at, "last": at, "count": 0})
        seen["last"] = at
        seen["count"] += 1

    def summary(self) -> dict[str, Any]:
        return {
            "sent": self.sent,
            "ok": self.outcomes["ok"],
            "failed": self.outcomes["failed"],
            "in_flight": self.in_flight,
            "statuses": dict(self.statuses),
            "versions": list(self.versions.values()),
            **_percentiles(self.latencies_ms),
        }


async def run(settings: dict[str, Any]) -> None:
    started = time.monotonic()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    targets = [Target(url, settings, started) for url in settings["urls"]]
    tasks: set[asyncio.Task[None]] = set()
    interval = 1 / settings["rate"]
    random_source = random.Random(settings["seed"])
    # Every target has its own beat, spread evenly over one interval.
    due = [started + interval * index / len(targets) for index in range(len(targets))]
    end = started + settings["seconds"] if settings["seconds"] else float("inf")
    next_summary = started
    while not stopping.is_set() and (now := time.monotonic()) < end:
        for index, target in enumerate(targets):
            while due[index] <= now:
                task = target.launch(due[index], random_source)
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                due[index] += interval
        if now >= next_summary:
            _write(settings, targets, started)
            next_summary = now + SUMMARY_SECONDS
        await asyncio.sleep(max(0.0, min(due) - time.monotonic()))
    if tasks:
        await asyncio.wait(tasks)
    _write(settings, targets, started)


def _request(target: str, host: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: pykamal-load\r\n\r\n".encode()


def _percentiles(latencies_ms: list[float]) -> dict[str, float | None]:
    ordered = sorted(latencies_ms)
    if not ordered:
        return {"p50_ms": None, "p99_ms": None, "max_ms": None}
    place = {"p50_ms": 0.50, "p99_ms": 0.99, "max_ms": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(len(ordered) * q))], 2) for name, q in place.items()}


def _write(settings: dict[str, Any], targets: list[Target], started: float) -> None:
    failures = sorted((failure for target in targets for failure in target.failures), key=lambda found: found["at"])
    total = {name: sum(target.summary()[name] for target in targets) for name in ("sent", "ok", "failed", "in_flight")}
    statuses: Counter[str] = Counter()
    for target in targets:
        statuses.update(target.statuses)
    summary = {
        **total,
        "seconds": round(time.monotonic() - started, 3),
        "cpu_seconds": round(time.process_time(), 3),
        "statuses": dict(statuses),
        **_percentiles([latency for target in targets for latency in target.latencies_ms]),
        "failures": failures,
        "targets": {target.url: target.summary() for target in targets},
    }
    path = Path(settings["summary"])
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(summary, indent=2))
    draft.replace(path)


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text())))
