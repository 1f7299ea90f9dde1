"""Clients that must notice nothing of what is done to another service: each holds one connection from start to end."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Self

from tests.conformance.proxy_process import Proxy
from tests.conformance.raw_http import WEBSOCKET, Connection, head

STEP_S = 0.02


class Bystander(ABC):
    """One connection to one host, used all the time by a thread of its own.

    `steps` counts what went well; `failures` has at most one entry, for the first one ends it.
    """

    def __init__(self, proxy: Proxy, host: str) -> None:
        self.host = host
        self.steps = 0
        self.failures: list[str] = []
        self._proxy = proxy
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._proxy.connect() as connection:
                self.begin(connection)
                while not self._stopping.wait(STEP_S):
                    self.step(connection)
                    self.steps += 1
                self.end(connection)
        except (OSError, ValueError, AssertionError) as problem:
            self.failures.append(f"{type(self).__name__} after {self.steps} steps: {problem!r}")

    def begin(self, connection: Connection) -> None:  # noqa: B027 - most have nothing to do then
        """Before the first step."""

    @abstractmethod
    def step(self, connection: Connection) -> None:
        """Raises OSError, ValueError or AssertionError when something is not as it should be."""

    def end(self, connection: Connection) -> None:  # noqa: B027 - as above
        """After the last step."""


class KeptConnection(Bystander):
    """One request after the other on one connection; POST, for which the proxy may not try again."""

    def step(self, connection: Connection) -> None:
        response = connection.ask("POST", "/echo", host=self.host, body=b"x" * 100)
        assert (response.status, response.complete) == (200, True), response
        assert response.header("Connection") != "close"


class RolloutVisitor(Bystander):
    """A client with a rollout cookie, which every answer must come for, whichever set gives it."""

    def step(self, connection: Connection) -> None:
        cookie = ("Cookie", f"kamal-rollout=u{self.steps % 100}")
        response = connection.ask("GET", "/", host=self.host, headers=[cookie])
        assert (response.status, response.complete) == (200, True), response


class WebSocket(Bystander):
    """An upgraded connection whose other end echoes."""

    def begin(self, connection: Connection) -> None:
        assert connection.ask("GET", "/ws", host=self.host, headers=WEBSOCKET).status == 101
        assert connection.reader.readline().startswith(b"hello from")

    def step(self, connection: Connection) -> None:
        text = f"step {self.steps:08}\n".encode()
        connection.send(text)
        assert connection.reader.read(len(text)) == text


class SlowUpload(Bystander):
    """One chunked request whose body takes as long as everything else; it is answered at the end."""

    def begin(self, connection: Connection) -> None:
        self.sent = 0
        connection.send(head("POST", "/echo", host=self.host, headers=[("Transfer-Encoding", "chunked")]))

    def step(self, connection: Connection) -> None:
        connection.send(b"400\r\n" + b"u" * 0x400 + b"\r\n")
        self.sent += 0x400

    def end(self, connection: Connection) -> None:
        connection.send(b"0\r\n\r\n")
        response = connection.read("POST")
        assert response.status == 200, response
        assert response.seen["body_bytes"] == self.sent


def wait_for_steps(bystanders: list[Bystander], seconds: float = 10) -> None:
    """Until all are under way."""
    deadline = time.monotonic() + seconds
    while not all(bystander.steps for bystander in bystanders):
        failures = [failure for bystander in bystanders for failure in bystander.failures]
        assert not failures, failures
        assert time.monotonic() < deadline, "not all began"
        time.sleep(STEP_S)
