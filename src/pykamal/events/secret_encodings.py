"""The encodings in which a secret is written: for the masks of output, and for the search of files and images."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_right
from collections.abc import Collection, Iterator
from typing import Final
from urllib.parse import quote

from pykamal.commands import env_file
from pykamal.core.sensitive import encoded

Span = tuple[int, int]

PEM_BOUNDARY: Final = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")

_SAFE_IN_URLS: Final = ("", "/", "*", "!'()*", "!'()*/", "!#$&'()*+,/:;=?@")
"""Characters that the usual encoders keep, beside letters, digits, `-`, `.` and `_`; most keep `~` too."""

_HEX: Final = re.compile(r"%[0-9A-F]{2}")
_HTML_IN_JSON: Final = str.maketrans({"&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})
_SHELL_SPECIAL: Final = re.compile(r"([^\w\-.,:+/@])", re.ASCII)
_DOUBLE_QUOTES_SPECIAL: Final = re.compile(r'([\\"$`])')

_UNCHANGED: Final = re.compile(r"[A-Za-z0-9_.-]{2,}")
STANDARD_BASE64: Final = bytes.maketrans(b"-_", b"+/")

# Programs break base64 into lines of 64 or 76 characters.
SHORTEST_WRAPPED: Final = 60
CHARACTER_CLASSES: Final = bytes(
    ord("a")
    if chr(code).isascii() and (chr(code).isalnum() or chr(code) in "+/")
    else ord("n")
    if code == ord("\n")
    else ord(".")
    for code in range(256)
)
LONG_LINE: Final = b"a" * SHORTEST_WRAPPED + b"n"


def written_forms(line: str) -> Iterator[str]:
    """A line as it is, and in the quotes and escapes of URLs, JSON, HTML, shells and YAML."""
    yield line
    for safe in _SAFE_IN_URLS:
        encoded = quote(line, safe=safe)
        for form in (encoded, encoded.replace("~", "%7E")):
            for spaces in (form, form.replace("%20", "+")):
                yield spaces
                yield _HEX.sub(lambda found: found[0].lower(), spaces)
    for ascii_only in (True, False):
        escaped = json.dumps(line, ensure_ascii=ascii_only)[1:-1]
        for form in (escaped, escaped.translate(_HTML_IN_JSON)):
            yield form
            yield form.replace("/", "\\/")
        yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]  # a line of JSON as the text of another
    for apostrophe, quotation in (("'", '"'), ("&#39;", "&quot;"), ("&#x27;", "&quot;"), ("&#39;", "&#34;")):
        bare = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        yield bare.replace("'", apostrophe).replace('"', quotation)
    yield line.replace("'", "'\\''")
    yield line.replace("'", "'\"'\"'")
    yield line.replace("'", "''")
    yield _SHELL_SPECIAL.sub(r"\\\1", line)
    yield _DOUBLE_QUOTES_SPECIAL.sub(r"\\\1", line)
    yield env_file.encode([("", line)]).reveal()[1:-1]  # a container has it from there


def base64_forms(text: str) -> Iterator[str]:
    """The characters that depend on this text alone, wherever it begins in what is encoded."""
    content = encoded(text)
    for before in range(3):
        first, last = -(-8 * before // 6), 8 * (before + len(content)) // 6
        yield base64.b64encode(bytes(before) + content).decode()[first:last]


def common_parts(forms: Collection[str]) -> tuple[bytes, ...]:
    """Parts of a line that all of its forms have: no encoding changes letters, digits and a few other characters."""
    shortest = min(forms, key=len)
    parts = (part for part in _UNCHANGED.findall(shortest) if all(part in form for form in forms))
    return tuple(part.encode().translate(STANDARD_BASE64) for part in parts)


def hexadecimal_forms(text: str) -> tuple[str, str]:
    """The digits of all bytes, in lower and in upper case."""
    digits = encoded(text).hex()
    return digits, digits.upper()


class Base64Text:
    """A text in which base64 is easily found: in the standard alphabet, without the line breaks inside it."""

    def __init__(self, text: str) -> None:
        # One byte a character, whatever it is.
        self.data = text.encode("latin-1", "replace").translate(STANDARD_BASE64)
        breaks = list(_breaks_inside(self.data))
        self._breaks = [place - number for number, place in enumerate(breaks)]
        starts, ends = [0, *(place + 1 for place in breaks)], [*breaks, len(self.data)]
        self.data = b"".join(self.data[start:end] for start, end in zip(starts, ends, strict=True))
        self.text = self.data.decode("latin-1")

    def original(self, span: Span) -> Span:
        """The place in the text as it was."""
        start, end = span
        return start + bisect_right(self._breaks, start), end + bisect_right(self._breaks, end - 1)


def _breaks_inside(data: bytes) -> Iterator[int]:
    """Line breaks behind a long line of base64 that goes on in the next line, or may do so behind the end."""
    classes = data.translate(CHARACTER_CLASSES)
    if LONG_LINE not in classes:
        return
    line = LONG_LINE[:-1]
    place = -1
    while (place := classes.find(b"n", place + 1)) >= 0:
        if classes.endswith(line, 0, place) and classes[place + 1 : place + 2] in (b"a", b""):
            yield place
