"""A target on loopback that does what its path says (spec/proxy.md 23, fixtures)."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

UPGRADE_REPLY = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    at: float = field(default_factory=time.monotonic)

    def header(self, name: str) -> str | None:
        """The value, several joined by `, `; None when absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Target:
    """Listens from the start; `up` is the status of `/up`, `moved_to` its Location, `check_seconds` its delay."""

    def __init__(self, name: str, port: int | None = None, ip: str = "127.0.0.1") -> None:
        self.name = name
        self.ip = ip
        self.up: int = 200
        self.moved_to = ""
        self.check_seconds = 0.0
        self.health_path = "/up"
        self.requests: list[Received] = []
        self.checks: list[Received] = []
        self.lost_clients = 0
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server((ip, port or 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"{self.ip}:{self.port}"

    def close(self) -> None:
        """Stops listening and closes every connection, as a killed container does."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.close_idle()

    def close_idle(self) -> None:
        """Closes every open connection and goes on listening."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            with contextlib.suppress(OSError, ValueError), connection:
                Conversation(self, connection).hold()
        finally:
            self._open.discard(connection)


class Conversation:
    """One connection to a target: requests one after the other until somebody closes."""

    def __init__(self, target: Target, connection: socket.socket) -> None:
        self.target = target
        self.connection = connection
        self.reader = connection.makefile("rb")

    def hold(self) -> None:
        while (received := self._read()) is not None:
            if not self._answer(received):
                return

    def _read(self) -> Received | None:
        first = self.reader.readline().decode("latin-1").rstrip("\r\n")
        if not first:
            return None
        method, target, _ = first.split(" ", 2)
        headers = []
        while line := self.reader.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        received = Received(method, target, headers)
        path = urlsplit(target).path
        is_check = path == self.target.health_path and received.header("User-Agent") == "kamal-proxy"
        (self.target.checks if is_check else self.target.requests).append(received)
        received.body = b"".join(self._body(received))
        return received

    def _body(self, received: Received) -> Iterator[bytes]:
        if "chunked" in (received.header("Transfer-Encoding") or ""):
            while size := int(self.reader.readline().split(b";")[0], 16):
                yield self.reader.read(size)
                self.reader.readline()
            self.reader.readline()
        else:
            left = int(received.header("Content-Length") or 0)
            while left:
                part = self.reader.read(min(left, 65536))
                if not part:
                    raise ValueError("the client left")
                left -= len(part)
                yield part

    def _answer(self, received: Received) -> bool:
        """False when the connection is over."""
        url = urlsplit(received.target)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        action = getattr(self, f"_do_{url.path.strip('/').split('/')[-1]}", None)
        if url.path == self.target.health_path:
            time.sleep(self.target.check_seconds)
            moved = [("Location", self.target.moved_to)] if self.target.moved_to else []
            self._send(self.target.up, b"" if self.target.up == 204 else b"up", moved, received)
            return True
        if action is None:
            return self._do_echo(received, query)
        return bool(action(received, query))

    def _send(self, status: int, body: bytes, headers: list[tuple[str, str]], received: Received) -> None:
        fields = [("Content-Length", str(len(body))), *headers]
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.connection.sendall(
            f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + (b"" if received.method == "HEAD" else body)
        )

    def _do_echo(self, received: Received, query: dict[str, str]) -> bool:
        seen = {
            "name": self.target.name,
            "method": received.method,
            "target": received.target,
            "headers": received.headers,
            "body_bytes": len(received.body),
        }
        self._send(200, json.dumps(seen).encode(), [("Content-Type", "application/json")], received)
        return True

    def _do_sleep(self, received: Received, query: dict[str, str]) -> bool:
        readable, _, _ = select.select([self.connection], [], [], float(query["s"]))
        if readable:
            self.target.lost_clients += 1
            return False
        return self._do_echo(received, query)

    def _do_stream(self, received: Received, query: dict[str, str], kind: str = "text/plain") -> bool:
        self.connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for number in range(int(query.get("n", 3))):
            if number:
                time.sleep(float(query.get("d", 0.2)))
            part = f"data: part {number}\n\n".encode()
            self.connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        self.connection.sendall(b"0\r\n\r\n")
        return True

    def _do_sse(self, received: Received, query: dict[str, str]) -> bool:
        return self._do_stream(received, query, "text/event-stream; charset=utf-8")

    def _do_ws(self, received: Received, query: dict[str, str]) -> bool:
        self.connection.sendall(UPGRADE_REPLY)
        self.connection.sendall(f"hello from {self.target.name}\n".encode())
        while data := self.connection.recv(65536):
            self.connection.sendall(data)
        self.target.lost_clients += 1
        return False

    def _do_status(self, received: Received, query: dict[str, str]) -> bool:
        self._send(int(query["c"]), b"as asked", [], received)
        return True

    def _do_big(self, received: Received, query: dict[str, str]) -> bool:
        self._send(200, b"x" * int(query["n"]), [], received)
        return True

    def _do_unchanged(self, received: Received, query: dict[str, str]) -> bool:
        self.connection.sendall(f"HTTP/1.1 304 Not Modified\r\nContent-Length: {query['n']}\r\n\r\n".encode())
        return True

    def _do_die(self, received: Received, query: dict[str, str]) -> bool:
        return False

    def _do_garbage(self, received: Received, query: dict[str, str]) -> bool:
        self.connection.sendall(b"this is no HTTP\r\n\r\nat all")
        return False

    def _do_halfway(self, received: Received, query: dict[str, str]) -> bool:
        self.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        return False

    def _do_hints(self, received: Received, query: dict[str, str]) -> bool:
        self.connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        return self._do_echo(received, query)

    def _do_hdrs(self, received: Received, query: dict[str, str]) -> bool:
        pairs = parse_qs(urlsplit(received.target).query)["h"]
        headers = [(name, value) for name, _, value in (pair.partition("=") for pair in pairs)]
        self._send(200, b"headers", headers, received)
        return True
