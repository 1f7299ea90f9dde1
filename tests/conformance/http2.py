"""Enough of HTTP/2 to send frames that no ordinary client would send (RFC 9113, RFC 7541 without compression)."""

from __future__ import annotations

import contextlib
import struct

from tests.conformance.raw_http import Connection

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_ACKNOWLEDGED, _END_STREAM, _END_HEADERS = 1, 1, 4
_STATUSES = {0x88: "200", 0x89: "204", 0x8A: "206", 0x8B: "304", 0x8C: "400", 0x8D: "404", 0x8E: "500"}

Fields = list[tuple[str, str]]


class Http2:
    """One connection over TLS."""

    def __init__(self, port: int, name: str) -> None:
        self._connection = Connection(port, server_name=name, alpn=["h2"])
        self._stream = -1
        self._connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b""))

    def close(self) -> None:
        self._connection.close()

    def ask(self, fields: Fields, body: bytes = b"") -> str | None:
        """The status of one request, its body in one frame; None when the stream or the connection was refused."""
        stream = self._open(fields, ends=not body)
        if body:
            self._connection.send(_frame(_DATA, _END_STREAM, stream, body))
        with contextlib.suppress(OSError):
            while True:
                kind, flags, number, payload = self._read()
                if kind == _SETTINGS and not flags & _ACKNOWLEDGED:
                    self._connection.send(_frame(_SETTINGS, _ACKNOWLEDGED, 0, b""))
                elif number == stream and kind == _HEADERS:
                    return _status(payload)
                elif kind == _GOAWAY or (number == stream and kind == _RESET):
                    return None
        return None

    def ask_and_reset(self, fields: Fields) -> bool:
        """Begins a request and takes it back; False once the connection is over."""
        try:
            stream = self._open(fields)
            self._connection.send(_frame(_RESET, 0, stream, struct.pack(">I", 8)))
        except OSError:
            return False
        return True

    def _open(self, fields: Fields, *, ends: bool = True) -> int:
        self._stream += 2
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)
        self._connection.send(_frame(_HEADERS, (_END_STREAM if ends else 0) | _END_HEADERS, self._stream, block))
        return self._stream

    def _read(self) -> tuple[int, int, int, bytes]:
        head = self._connection.reader.read(9)
        if len(head) < 9:
            raise ConnectionError("the connection is over")
        length = int.from_bytes(head[:3])
        return head[3], head[4], int.from_bytes(head[5:9]) & 0x7FFFFFFF, self._connection.reader.read(length)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    assert len(data) < 127 + 128, "longer texts are not needed"
    return bytes([127, len(data) - 127]) + data


def _status(block: bytes) -> str:
    """From the first field, which is the status: indexed, or literal with the indexed name and three digits."""
    block = block[1:] if block[0] & 0xE0 == 0x20 else block
    if block[0] in _STATUSES:
        return _STATUSES[block[0]]
    return block[2 : 2 + (block[1] & 0x7F)].decode("latin-1")
