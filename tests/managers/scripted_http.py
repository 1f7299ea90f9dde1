"""An HTTP server whose answers are written out, for what a real one does not do on demand."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Self

Answer = bytes | Callable[[socket.socket], None]


def reply(status: int, body: str = "{}", *headers: str) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Scripted",
        f"Content-Length: {len(body.encode())}",
        "Connection: close",
        *headers,
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def stay_silent(connection: socket.socket) -> None:
    time.sleep(30)


def drip(connection: socket.socket) -> None:
    """Send a long answer one byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b" ")
        time.sleep(0.05)


class ScriptedServer:
    """Answers requests in turn with `answers`, the last one for ever, and keeps what it was asked.

    A text that ends before the length it announces is half an answer: the connection is closed behind it.
    """

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.address = f"http://127.0.0.1:{self.port}"
        self.requests: list[str] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            asked = b""
            while b"\r\n\r\n" not in asked:
                part = connection.recv(1 << 16)
                if not part:
                    return
                asked += part
            head, _, body = asked.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            while length and len(body) < int(length[1]):  # what is left unread resets the connection when it is closed
                part = connection.recv(1 << 16)
                if not part:
                    return
                body += part
            with self._lock:
                self.requests.append(asked.decode())
                answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            try:
                if callable(answer):
                    answer(connection)
                else:
                    connection.sendall(answer)
            except OSError:
                return
