"""A small HTTP client on raw sockets: it sends what it is told to and reports what came back."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Response:
    """`complete` is False when the connection ended before the announced end."""

    status: int
    headers: Headers
    body: bytes
    complete: bool
    seconds: float

    def header(self, name: str) -> str | None:
        """The value, several joined by `, `; None when absent."""
        values = self.all(name)
        return ", ".join(values) if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def seen(self) -> dict[str, Any]:
        """Return the request that an echoing target reports."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def served_by(self) -> str:
        return str(self.seen["name"])

    def seen_header(self, name: str) -> str | None:
        values = [value for key, value in self.seen["headers"] if key.lower() == name.lower()]
        return ", ".join(values) if values else None


class Connection:
    """One connection to the proxy; `server_name` turns TLS on (an empty one sends no SNI).

    `source` is the loopback address from which it comes, `preface` what is sent before everything else.
    """

    def __init__(
        self,
        port: int,
        *,
        server_name: str | None = None,
        alpn: list[str] | None = None,
        source: str = "127.0.0.1",
        preface: bytes = b"",
    ) -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=15, source_address=(source, 0))
        plain.sendall(preface)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket: socket.socket = plain
        if server_name is not None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if alpn:
                context.set_alpn_protocols(alpn)
            try:
                self.socket = context.wrap_socket(plain, server_hostname=server_name or None)
            except BaseException:
                plain.close()
                raise
        self.reader = self.socket.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.reader.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(
        self,
        method: str = "GET",
        path: str = "/echo",
        *,
        host: str | None = "example.com",
        headers: Headers | None = None,
        body: bytes | None = None,
        version: str = "HTTP/1.1",
    ) -> Response:
        """Sends one request and reads its response."""
        self.send(head(method, path, host=host, headers=headers, body=body, version=version) + (body or b""))
        return self.read(method)

    def read(self, method: str = "GET") -> Response:
        """Reads one response; raises ConnectionError when nothing came."""
        started = time.monotonic()
        first = self.reader.readline()
        if not first:
            raise ConnectionError("closed without a response")
        status = int(first.split(b" ")[1])
        headers: Headers = []
        while line := self.reader.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        fields = {name.lower(): value for name, value in headers}
        body, complete = self._body(method, status, fields)
        return Response(status, headers, body, complete, time.monotonic() - started)

    def _body(self, method: str, status: int, fields: dict[str, str]) -> tuple[bytes, bool]:
        if method == "HEAD" or status in (204, 304) or status < 200:
            return b"", True
        if fields.get("transfer-encoding") == "chunked":
            return self._chunks()
        if "content-length" in fields:
            length = int(fields["content-length"])
            with contextlib.suppress(ConnectionError):
                body = self.reader.read(length)
                return body, len(body) == length
            return b"", False
        return self.reader.read(), True

    def _chunks(self) -> tuple[bytes, bool]:
        body = b""
        with contextlib.suppress(ConnectionError):
            while line := self.reader.readline():
                size = int(line, 16)
                body += self.reader.read(size)
                self.reader.readline()
                if size == 0:
                    return body, True
        return body, False

    def is_closed_within(self, seconds: float) -> bool:
        """Tell if the other side ends the connection within this time, while nothing more is sent."""
        self.socket.settimeout(seconds)
        try:
            return self.reader.read(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True


def head(
    method: str,
    path: str,
    *,
    host: str | None = "example.com",
    headers: Headers | None = None,
    body: bytes | None = None,
    version: str = "HTTP/1.1",
) -> bytes:
    """A request head; Content-Length is added for a body unless `headers` frame it otherwise."""
    fields = [] if host is None else [("Host", host)]
    fields += headers or []
    names = {name.lower() for name, _ in fields}
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        fields.append(("Content-Length", str(len(body))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"{method} {path} {version}\r\n{lines}\r\n".encode("latin-1")


WEBSOCKET: Headers = [
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
]


def basic(user: str, password: str) -> Headers:
    """The header with which a client names itself."""
    return [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]
