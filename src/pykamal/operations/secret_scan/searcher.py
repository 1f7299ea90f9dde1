"""Searches a stream of bytes for the values of secrets and for well-known keys.

The stream is read in blocks that overlap by more than the longest thing that is looked for, so nothing is lost at the
end of a block, and a file of any size takes the memory of one. The time is linear in the size of the stream.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pykamal.core.sensitive import Sensitive, encoded
from pykamal.events.secret_encodings import (
    CHARACTER_CLASSES,
    LONG_LINE,
    PEM_BOUNDARY,
    STANDARD_BASE64,
    Base64Text,
    base64_forms,
    common_parts,
    hexadecimal_forms,
    written_forms,
)
from pykamal.events.secret_search import SampleTable, Sought
from pykamal.operations.secret_scan import formats
from pykamal.operations.secret_scan.formats import FORMATS, KeyFormat
from pykamal.operations.secret_scan.searched_values import SHORTEST

BLOCK: Final = 1024 * 1024
CONTEXT: Final = 4096
"""Bytes around a place in which its line is looked for."""

WAIVER: Final = re.compile(rb"kamal: allow-secret[ \t]+([^\s][^\r\n]{0,200})")
"""Comment that accepts what is found in its line, with the reason."""

Read = Callable[[int], bytes]
"""Reads up to so many bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where something was found.

    `secret` is the name of a secret whose value it is, `form` how it is written there; or `key` is the kind of key.
    Line and column count from 1. `waiver` is the reason of the comment in the line.
    """

    line: int
    column: int
    offset: int
    secret: str | None = None
    form: str = ""
    key: KeyFormat | None = None
    waiver: str | None = None


@dataclass(frozen=True, slots=True)
class _Written:
    """Forms of the value of a secret that have one encoding."""

    secret: str
    form: str
    forms: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    start: int
    end: int
    written: _Written | None = None
    key: KeyFormat | None = None


class Searcher:
    """Finds the values and the formats. `block` is the size of the blocks that it reads."""

    def __init__(
        self, values: Mapping[str, Sensitive], *, key_formats: Sequence[KeyFormat] = FORMATS, block: int = BLOCK
    ) -> None:
        self._formats = key_formats
        self._written: dict[Sought, _Written] = {}
        for name, value in values.items():
            for form, forms, in_base64 in _forms_of(value.reveal()):
                parts = tuple(form.encode() for form in forms) if in_base64 else common_parts(forms)
                sought = Sought(forms, parts, in_base64=in_base64)
                self._written[sought] = _Written(name, form, tuple(encoded(each) for each in forms))
        self._table = SampleTable(self._written)
        longest = max((len(form) for each in self._written.values() for form in each.forms), default=0)
        # Base64 that is broken into lines is longer by a byte a line.
        self._overlap = longest + longest // 32 + formats.LONGEST + CONTEXT
        self._block = block + self._overlap

    def search(self, read: Read) -> Iterator[Hit]:
        """Yield what is found, in order. Of one secret or format in one line, the first."""
        buffer, start, begin, lines = b"", 0, 0, _Lines()
        seen: set[tuple[object, int]] = set()
        while True:
            block = _filled(read, self._block)
            buffer += block
            ended = len(block) < self._block
            end = start + len(buffer) if ended else start + len(buffer) - self._overlap
            places = (place for place in self._places(buffer) if begin <= start + place.start < end)
            for place in sorted(places, key=lambda place: (place.start, -place.end)):
                line = lines.count(buffer, place.start)
                subject = place.written.secret if place.written is not None else place.key
                if (subject, line) not in seen:
                    seen.add((subject, line))
                    yield _hit(place, line, lines.column(buffer, place.start), start + place.start, buffer)
            if ended:
                return
            kept = max(0, end - start - CONTEXT)
            lines.leave(buffer, kept)
            buffer, start, begin = buffer[kept:], start + kept, end
            if len(seen) > _MOST_REMEMBERED:
                seen.clear()

    def _places(self, data: bytes) -> Iterator[_Place]:
        for key in self._formats:
            for start, end in key.matches(data):
                yield _Place(start, end, key=key)
        if not self._written:
            return
        standard = data.translate(STANDARD_BASE64)
        for sought in self._table.candidates(standard):
            yield from _occurrences(self._written[sought], standard if sought.in_base64 else data)
        if LONG_LINE in data.translate(CHARACTER_CLASSES):
            yield from self._wrapped_places(data)

    def _wrapped_places(self, data: bytes) -> Iterator[_Place]:
        """Yield base64 that is broken into lines."""
        joined = Base64Text(data.decode("latin-1"))
        for sought in self._table.candidates(joined.data):
            if sought.in_base64:
                for place in _occurrences(self._written[sought], joined.data):
                    yield _Place(*joined.original((place.start, place.end)), place.written)


_MOST_REMEMBERED: Final = 10_000


def _forms_of(value: str) -> Iterator[tuple[str, tuple[str, ...], bool]]:
    """Yield the encodings of a value: what they are called, their texts, and whether they are looked for as base64.

    A value of several lines is looked for by its longest line, since files indent lines or end them in their own way.
    The last of equal lines counts: private keys of one kind all begin alike.
    """
    text = value.strip()
    lines = [line.strip() for line in text.splitlines() if not PEM_BOUNDARY.fullmatch(line.strip())]
    line = max(reversed(lines), key=len, default="")
    plain = [line] if len(line) >= SHORTEST else []
    if plain:
        yield "as it is", (line,), False
    escaped = dict.fromkeys(form for form in written_forms(line) if form != line) if plain else {}
    if escaped:
        yield "quoted or escaped", tuple(escaped), False
    for form in dict.fromkeys(base64_forms(text)):
        yield "in base64", (form,), True
    if line and len(lines) > 1:
        for form in dict.fromkeys(base64_forms(line)):
            yield "in base64", (form,), True
    for form in dict.fromkeys(hexadecimal_forms(text)):  # each alone, as they have no part in common
        yield "in hexadecimal digits", (form,), False


def _occurrences(written: _Written, data: bytes) -> Iterator[_Place]:
    for form in written.forms:
        start = data.find(form)
        while start >= 0:
            yield _Place(start, start + len(form), written)
            start = data.find(form, start + len(form))


def _hit(place: _Place, line: int, column: int, offset: int, data: bytes) -> Hit:
    first = data.rfind(b"\n", max(0, place.start - CONTEXT), place.start) + 1 or max(0, place.start - CONTEXT)
    last = data.find(b"\n", place.end, place.end + CONTEXT)
    waiver = WAIVER.search(data, first, last if last >= 0 else place.end + CONTEXT)
    reason = None if waiver is None else waiver[1].decode("utf-8", "backslashreplace").strip()
    if place.written is not None:
        return Hit(line, column, offset, secret=place.written.secret, form=place.written.form, waiver=reason)
    return Hit(line, column, offset, key=place.key, waiver=reason)


def _filled(read: Read, size: int) -> bytes:
    """Read until there are so many bytes, or no more."""
    parts: list[bytes] = []
    while size > 0 and (part := read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class _Lines:
    """Counts lines up to places that come in order, in a buffer whose beginning is dropped as the reading goes on."""

    def __init__(self) -> None:
        self._line = 1  # of `_counted`
        self._counted = 0
        self._before = 0  # bytes of the line that stood before the buffer

    def count(self, buffer: bytes, place: int) -> int:
        """Return the line of a place, which is not before the last one."""
        self._line += buffer.count(b"\n", self._counted, max(self._counted, place))
        self._counted = max(self._counted, place)
        return self._line

    def column(self, buffer: bytes, place: int) -> int:
        first = buffer.rfind(b"\n", 0, place) + 1
        column = len(buffer[first:place].decode("utf-8", "replace")) + 1
        return column if first else self._before + column

    def leave(self, buffer: bytes, dropped: int) -> None:
        """Go on with a buffer that lacks so many bytes at its beginning."""
        self.count(buffer, dropped)
        last = buffer.rfind(b"\n", 0, dropped) + 1
        self._before = dropped - last if last else self._before + dropped
        self._counted -= dropped
