"""Reads a tar archive as a stream, without unpacking it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pykamal.operations.secret_scan.searcher import Read

BLOCK: Final = 512
MAGIC: Final = slice(257, 262)
"""The place of `ustar` in a header."""

_MOST_NAME_BYTES: Final = 1024 * 1024
_MOST_DIGITS: Final = 20
_SKIPPED: Final = 1024 * 1024
_LONG_NAME, _LONG_LINK, _PAX, _PAX_GLOBAL = b"L", b"K", b"x", b"g"
_LINKS: Final = (b"1", b"2")


class TarBroken(Exception):
    """The stream is no tar archive, or breaks off."""


@dataclass
class Member:
    """An entry whose bytes are read from the stream. `link` is what a link points to."""

    name: bytes
    link: bytes
    size: int
    _read: Read
    _left: int

    def read(self, size: int) -> bytes:
        data = self._read(min(size, self._left))
        if self._left and size and not data:
            raise TarBroken("it breaks off")
        self._left -= len(data)
        return data

    def skip(self) -> None:
        while self._left:
            self.read(_SKIPPED)


def members(read: Read) -> Iterator[Member]:
    """Yield the entries; what is left of one is skipped at the next. Raises `TarBroken`."""
    name, link, size = b"", b"", None
    while True:
        header = exactly(read, BLOCK)
        if len(header) < BLOCK or not header.strip(b"\0"):
            return
        kind = header[156:157]
        member = Member(_text(header[345:500]), b"", _number(header[124:136]), read, 0)
        prefix = member.name + b"/" if member.name and header[MAGIC] == b"ustar" and header[262:263] == b"\0" else b""
        padding = -member.size % BLOCK
        if kind in (_LONG_NAME, _LONG_LINK, _PAX):
            if member.size > _MOST_NAME_BYTES:
                raise TarBroken("a name in it is too long")
            content = exactly(read, member.size)
            exactly(read, padding)
            if kind == _PAX:
                fields = _pax(content)
                name, link = fields.get(b"path", name), fields.get(b"linkpath", link)
                size = _decimal(fields[b"size"]) if b"size" in fields else size
            elif kind == _LONG_NAME:
                name = content.rstrip(b"\0")
            else:
                link = content.rstrip(b"\0")
            continue
        member.name = name or prefix + _text(header[:100])
        member.link = (link or _text(header[157:257])) if kind in _LINKS else b""
        member.size = member._left = 0 if kind in _LINKS else member.size if size is None else size
        padding = -member.size % BLOCK
        if kind != _PAX_GLOBAL:
            yield member
        member.skip()
        exactly(read, padding)
        name, link, size = b"", b"", None


def exactly(read: Read, size: int) -> bytes:
    """Read so many bytes, fewer only at the end of the stream."""
    parts = []
    while size and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    try:
        return int(_text(field).strip() or b"0", 8)
    except ValueError:
        raise TarBroken("it is no tar archive") from None


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > _MOST_DIGITS:
        raise TarBroken("a header in it is broken")
    return int(text)


def _pax(content: bytes) -> dict[bytes, bytes]:
    """The fields of a header: `LENGTH KEY=VALUE` and a line break each."""
    fields = {}
    while content:
        digits, _, rest = content.partition(b" ")
        length = _decimal(digits)
        if not len(digits) + 1 < length <= len(content):
            raise TarBroken("a header in it is broken")
        key, _, value = rest[: length - len(digits) - 2].partition(b"=")
        fields[key] = value
        content = content[length:]
    return fields
