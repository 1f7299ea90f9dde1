"""Clients that leave, by the thousand."""

from __future__ import annotations

import itertools
import socket

from tests.conformance.raw_http import head

_MOMENTS = (b"", head("GET", "/echo")[:15], head("GET", "/echo")[:-2], head("GET", "/sleep?s=30"))
_RESET = b"\1\0\0\0\0\0\0\0"  # struct linger: at once


def abandon(port: int, count: int) -> None:
    """Opens and closes so many connections: most at once, others inside a request; every third by a reset."""
    for number, moment in zip(range(count), itertools.cycle(_MOMENTS[:1] * 17 + _MOMENTS[1:]), strict=False):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(moment)
            if number % 3 == 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
