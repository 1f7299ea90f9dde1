"""The ports, opened by the supervisor and handed on to nginx.

So that clients who come while nginx starts, at the beginning or after it was killed, wait for it and are not refused.
"""

from __future__ import annotations

import errno
import os
import socket
import time

from pykamal.proxy.errors import ProxyError
from pykamal.proxy.nginx import has_ipv6

BACKLOG = 4096
_PATIENCE_S = 1.0
"""For nginx of a server that was killed a moment ago: it ends, but not at once."""
_PAUSE_S = 0.02


class Listeners:
    """Listening sockets of these ports, on IPv4 and, where there is such, IPv6. Raises ProxyError for a taken port."""

    def __init__(self, *ports: int) -> None:
        self._sockets: list[socket.socket] = []
        self._deadline = time.monotonic() + _PATIENCE_S
        families = [socket.AF_INET, *([socket.AF_INET6] if has_ipv6() else [])]
        for port in ports:
            if not 0 < port < 2**16:
                self.close()
                raise ProxyError(f"listen tcp: address {port}: invalid port")
            for family in families:
                self._open(family, port)

    @property
    def descriptors(self) -> list[int]:
        return [listener.fileno() for listener in self._sockets]

    @property
    def environment(self) -> dict[str, str]:
        """The variable by which nginx's own processes hand on sockets when the binary is replaced."""
        return {"NGINX": "".join(f"{descriptor};" for descriptor in self.descriptors)}

    def close(self) -> None:
        """New connections are refused once nginx has closed its own too."""
        for listener in self._sockets:
            listener.close()

    def _open(self, family: socket.AddressFamily, port: int) -> None:
        listener = socket.socket(family)
        self._sockets.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            self._bind(listener, port)
            listener.listen(BACKLOG)
        except OSError as problem:
            self.close()
            reason = os.strerror(problem.errno or 0).lower()
            raise ProxyError(f"listen tcp :{port}: bind: {reason}") from None
        listener.setblocking(False)

    def _bind(self, listener: socket.socket, port: int) -> None:
        while True:
            try:
                return listener.bind(("", port))
            except OSError as problem:
                if problem.errno != errno.EADDRINUSE or time.monotonic() > self._deadline:
                    raise
                time.sleep(_PAUSE_S)
