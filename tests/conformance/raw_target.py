"""A target that answers with bytes as they are, however wrong, and keeps what it received."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"


class RawTarget:
    """`/up` and `/fine` are answered well; everything else with `reply`, after which it closes unless `holds`."""

    def __init__(self) -> None:
        self.reply: bytes | Iterable[bytes] = GOOD
        self.holds = False
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        data = b""
        with contextlib.suppress(OSError), connection:
            while True:
                while b"\r\n\r\n" not in data:
                    part = connection.recv(65536)
                    if not part:
                        return
                    data += part
                head, _, data = data.partition(b"\r\n\r\n")
                path = head.split(b" ", 2)[1]
                if path in (b"/up", b"/fine"):
                    connection.sendall(GOOD)
                    continue
                self.received.append(head)
                for piece in [self.reply] if isinstance(self.reply, bytes) else self.reply:
                    connection.sendall(piece)
                if not self.holds:
                    # The end of the answer, not of the connection, which would take unread answers along.
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)
                    return
