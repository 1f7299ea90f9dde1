"""Enough of HTTP/2 to send frames that no ordinary client would send (RFC 9113, RFC 7541 without compression)."""

from __future__ import annotations

import contextlib
import ssl
import struct
from dataclasses import dataclass, field

from tests.conformance.raw_http import Connection

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
ACKNOWLEDGED, END_STREAM, END_HEADERS = 1, 1, 4
_STATUSES = {0x88: "200", 0x89: "204", 0x8A: "206", 0x8B: "304", 0x8C: "400", 0x8D: "404", 0x8E: "500"}

Fields = list[tuple[str, str]]


@dataclass
class Answer:
    """The answer on one stream. A refused stream has the status None and its reason in `reset`."""

    status: str | None = None
    body: bytes = b""
    heads: int = 0
    ended: bool = False
    reset: int | None = None


@dataclass
class Http2:
    """One connection over TLS. `goaway` is the error code with which the proxy ended it."""

    port: int
    name: str
    answers: dict[int, Answer] = field(default_factory=dict)
    goaway: int | None = None

    def __post_init__(self) -> None:
        self._connection = Connection(self.port, server_name=self.name, alpn=["h2"])
        self._stream = -1
        self._connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS))

    def close(self) -> None:
        self._connection.close()

    def ask(self, fields: Fields, body: bytes = b"") -> str | None:
        """The status of one request, its body in one frame; None when the stream or the connection was refused."""
        stream = self.open(fields, ends=not body)
        if body:
            self.send(frame(DATA, END_STREAM, stream, body))
        return self.answer_to(stream).status

    def ask_and_reset(self, fields: Fields) -> bool:
        """Begins a request and takes it back; False once the connection is over."""
        try:
            stream = self.open(fields)
            self.send(frame(RESET, 0, stream, struct.pack(">I", 8)))
        except OSError:
            return False
        return True

    def open(self, fields: Fields, *, ends: bool = True) -> int:
        """Sends the head of a request on the next stream, whose number it returns."""
        stream = self.next_stream()
        self.send(frame(HEADERS, (END_STREAM if ends else 0) | END_HEADERS, stream, header_block(fields)))
        return stream

    def next_stream(self) -> int:
        self._stream += 2
        self.answers[self._stream] = Answer()
        return self._stream

    def send(self, data: bytes) -> None:
        self._connection.send(data)

    def is_open(self) -> bool:
        """Throws away what has come, without waiting; False once the connection is over."""
        connection = self._connection.socket
        timeout = connection.gettimeout()
        connection.setblocking(False)
        try:
            while connection.recv(65536):
                pass
        except ssl.SSLWantReadError:
            return True
        except OSError:
            pass
        finally:
            connection.settimeout(timeout)
        return False

    def answer_to(self, stream: int) -> Answer:
        """Reads until the stream has ended, was refused, or the connection is over."""
        answer = self.answers[stream]
        with contextlib.suppress(OSError):
            while not answer.ended and answer.reset is None and self.goaway is None:
                self.read()
        return answer

    def read(self) -> tuple[int, int, int, bytes]:
        """One frame (kind, flags, stream, payload), which is also noted in `answers`. Raises OSError at the end."""
        head = self._connection.reader.read(9)
        if len(head) < 9:
            raise ConnectionError("the connection is over")
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:9]) & 0x7FFFFFFF
        payload = self._connection.reader.read(int.from_bytes(head[:3]))
        if kind == SETTINGS and not flags & ACKNOWLEDGED:
            self.send(frame(SETTINGS, ACKNOWLEDGED))
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8])
        elif stream in self.answers:
            self._note(self.answers[stream], kind, flags, payload)
        return kind, flags, stream, payload

    def _note(self, answer: Answer, kind: int, flags: int, payload: bytes) -> None:
        if kind == HEADERS:
            answer.status = answer.status or _status(payload)
            answer.heads += 1
        elif kind == DATA:
            answer.body += payload
        elif kind == RESET:
            answer.reset = int.from_bytes(payload)
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            answer.ended = True


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def header_block(fields: Fields) -> bytes:
    """Literal fields without indexing and without Huffman codes."""
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def _text(text: str) -> bytes:
    data = text.encode("latin-1")
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, number = len(data) - 127, bytearray([127])
    while rest >= 128:
        number.append(rest % 128 + 128)
        rest //= 128
    return bytes([*number, rest]) + data


def _status(block: bytes) -> str:
    """Decode the status from the first field: indexed, or literal with the indexed name and three digits."""
    block = block[1:] if block[0] & 0xE0 == 0x20 else block
    if block[0] in _STATUSES:
        return _STATUSES[block[0]]
    return block[2 : 2 + (block[1] & 0x7F)].decode("latin-1")
