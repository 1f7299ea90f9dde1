"""Small GET requests of the control plane's own: health checks and approvals."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    """`location` is empty without such a header; `excerpt` is the beginning of the body, as it was asked for."""

    status: int
    location: str
    excerpt: bytes = b""


async def fetch(
    url: str, *, address: str, host: str, headers: tuple[tuple[str, str], ...] = (), excerpt_bytes: int = 0
) -> Answer:
    """One GET of `url`, sent to `address` with `host` as its Host header; redirects are not followed.

    Has no time limit of its own. Raises OSError, ValueError for what is not HTTP, IncompleteReadError and
    LimitOverrunError for a head that never ends.
    """
    parts = urlsplit(url)
    secure = _trust() if parts.scheme == "https" else None
    port = parts.port or (443 if secure else 80)
    name = parts.hostname if secure else None
    reader, writer = await asyncio.open_connection(address, port, ssl=secure, server_hostname=name)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = (("Host", host), ("User-Agent", "kamal-proxy"), *headers, ("Connection", "close"))
        head = "".join(f"{field}: {value}\r\n" for field, value in fields)
        writer.write(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
        status, location = _status_and_location(await reader.readuntil(HEAD_END))
        excerpt = b""
        if excerpt_bytes:
            with contextlib.suppress(OSError):
                excerpt = await reader.read(excerpt_bytes)
        return Answer(status, location, excerpt)
    finally:
        writer.close()


@functools.cache
def _trust() -> ssl.SSLContext:
    """Reading the system's authorities takes many times as long as a request."""
    return ssl.create_default_context()


def _status_and_location(head: bytes) -> tuple[int, str]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, status, *_ = [*first.split(" ", 2), "", ""]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError(f"malformed HTTP response {first[:40]!r}")
    for line in lines:
        name, _, value = line.partition(":")
        if name.lower() == "location":
            return int(status), value.strip()
    return int(status), ""
