"""Small GET requests of the control plane's own: health checks and approvals."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, urlsplit

LONGEST_HEAD_BYTES = 65536
_SAFE_IN_TARGET = "/%:@!$&'()*+,;=~?[]"


@dataclass(frozen=True, slots=True)
class Answer:
    """`location` is empty without such a header; `excerpt` is the beginning of the body where it was asked for and the
    status is not 200."""

    status: int
    location: str
    excerpt: bytes = b""


async def fetch(
    url: str, *, address: str, host: str, headers: tuple[tuple[str, str], ...] = (), excerpt_bytes: int = 0
) -> Answer:
    """One GET of `url`, sent to `address` with `host` as its Host header; redirects are not followed.

    Has no time limit of its own. Raises OSError, and ValueError for what is not HTTP.
    """
    parts = urlsplit(url)
    secure = _trust() if parts.scheme == "https" else None
    port = (443 if secure else 80) if parts.port is None else parts.port
    name = parts.hostname if secure else None
    reader, writer = await asyncio.open_connection(address, port, ssl=secure, server_hostname=name)
    try:
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE_IN_TARGET)
        fields = (("Host", host), ("User-Agent", "kamal-proxy"), *headers, ("Connection", "close"))
        head = "".join(f"{field}: {value}\r\n" for field, value in fields)
        writer.write(f"GET {target} HTTP/1.1\r\n{head}\r\n".encode())
        status, location = await _final_status_and_location(reader)
        excerpt = b""
        if excerpt_bytes and status != HTTPStatus.OK:
            with contextlib.suppress(OSError):
                excerpt = await reader.read(excerpt_bytes)
        return Answer(status, location, excerpt)
    finally:
        writer.close()


@functools.cache
def _trust() -> ssl.SSLContext:
    """Reading the system's authorities takes many times as long as a request."""
    return ssl.create_default_context()


async def _final_status_and_location(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Passes over interim answers (1xx), but for 101, after which there is no more HTTP."""
    while True:
        first, *lines = await _head(reader)
        version, status, *_ = [*first.split(" ", 2), "", ""]
        if not version.startswith("HTTP/1.") or not status.isdigit():
            raise ValueError(f"malformed HTTP response {first[:40]!r}")
        if int(status) >= 200 or int(status) == 101:
            fields = (line.partition(":") for line in lines)
            locations = (value.strip() for name, _, value in fields if name.lower() == "location")
            return int(status), next(locations, "")


async def _head(reader: asyncio.StreamReader) -> list[str]:
    """The lines of a head, of which there is one at least; a bare line feed ends a line too."""
    lines: list[str] = []
    left = LONGEST_HEAD_BYTES
    while line := await reader.readline():
        left -= len(line)
        if left < 0:
            raise ValueError("a head that does not end")
        text = line.decode("latin-1").rstrip("\r\n")
        if not text and lines:
            return lines
        lines.append(text)
    raise ValueError("unexpected end of the answer")
