"""A name server on loopback and a way to run the proxy under test with it, as Docker's own serves its containers."""

from __future__ import annotations

import os
import socket
import threading

from tests.conformance.proxy_process import Proxy

_PORT = 53
_REFUSED_NAME, _SERVER_FAILURE = 3, 2


class NameServer:
    """Answers A questions from `addresses`. Names in `failing` get a server failure; `silent` answers nobody."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self.failing: set[str] = set()
        self.silent = False
        self.questions: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.address = f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}.53"
        self._socket.bind((self.address, _PORT))
        self._socket.settimeout(0.05)
        self._serving = threading.Thread(target=self._serve, daemon=True)
        self._open = True
        self._serving.start()

    def close(self) -> None:
        """Questions are refused from now on."""
        self._open = False
        self._serving.join()
        self._socket.close()

    def _serve(self) -> None:
        while self._open:
            try:
                question, client = self._socket.recvfrom(4096)
            except TimeoutError:
                continue
            name, end = _name(question)
            self.questions.append(name)
            if not self.silent:
                self._socket.sendto(self._answer(name, question[: end + 4]), client)

    def _answer(self, name: str, question: bytes) -> bytes:
        wants_ipv4 = question[-4:-2] == b"\0\1"
        address = self.addresses.get(name)
        code = _SERVER_FAILURE if name in self.failing else 0 if address else _REFUSED_NAME
        answers = b""
        if address and wants_ipv4 and not code:
            answers = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(address)
        counts = b"\0\1" + (b"\0\1" if answers else b"\0\0") + bytes(4)
        return question[:2] + bytes([0x81, 0x80 | code]) + counts + question[12:] + answers


def _name(message: bytes) -> tuple[str, int]:
    labels, position = [], 12
    while length := message[position]:
        labels.append(message[position + 1 : position + 1 + length].decode())
        position += 1 + length
    return ".".join(labels), position + 1


def proxy_with(server: NameServer) -> Proxy:
    """A proxy that asks this server for names; needs root, for a mount namespace."""
    proxy = Proxy()
    configuration = proxy.home / "resolv.conf"
    configuration.write_text(f"nameserver {server.address}\noptions timeout:1 attempts:1 ndots:0\n")
    script = f'mount --bind {configuration} /etc/resolv.conf && exec "$@"'
    proxy.prefix = ["unshare", "--mount", "sh", "-c", script, "sh"]
    return proxy
