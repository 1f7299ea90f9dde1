"""Checks that the name server alone answers for a name, so that nginx may ask it directly (kamal/dns_lease.lua).

The resolver of the C library also knows /etc/hosts and search domains, which a bare question does not reach.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from pathlib import Path
from socket import AF_INET, AF_INET6, SOCK_DGRAM, socket

PORT = 53
_CONFIGURATION = Path("/etc/resolv.conf")
_PATIENCE_S = 0.5
_HEADER_BYTES = 12
_TYPES = {4: 1, 6: 28}
_LONGEST_LABEL = 63


async def answering(host: str, address: str) -> str | None:
    """The server's address if it answers exactly this name with this address, empty if not, None without an answer."""
    server = _first_server()
    question = _question(host, address)
    if not server or not question:
        return ""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            with socket(AF_INET6 if ":" in server else AF_INET, SOCK_DGRAM) as channel:
                channel.setblocking(False)
                channel.connect((server, PORT))
                await loop.sock_sendall(channel, question)
                answer = await loop.sock_recv(channel, 4096)
    except (OSError, TimeoutError):
        return None
    found = answer[:2] == question[:2] and ipaddress.ip_address(address).packed in answer[len(question) :]
    return server if found else ""


def _first_server() -> str:
    try:
        lines = _CONFIGURATION.read_text().splitlines()
    except OSError:
        return ""
    words = (line.split() for line in lines)
    return next((fields[1] for fields in words if len(fields) > 1 and fields[0] == "nameserver"), "")


def _question(host: str, address: str) -> bytes:
    """One question in the wire format of RFC 1035; empty for what is no name there."""
    labels = host.rstrip(".").encode().split(b".")
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        return b""
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    header = os.urandom(2) + b"\x01\x00\x00\x01" + bytes(6)
    assert len(header) == _HEADER_BYTES
    kind = _TYPES[ipaddress.ip_address(address).version]
    return header + name + kind.to_bytes(2) + b"\0\x01"
