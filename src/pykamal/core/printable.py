"""Filters control characters out of foreign text before it reaches a terminal. There is no other such filter.

Removed characters stay visible as `\\x1b` or `\\u202e`, so no evidence is lost. Line breaks and tabs stay as they are.
Colours (`ESC [ ... m`) alone are left out without a trace: they hide nothing, and logs are full of them.
"""

from __future__ import annotations

import re
import sys
from typing import Final

_CONTROLS: Final = "\0-\x08\x0b-\x1f\x7f-\x9f"
_DIRECTIONS: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_SEPARATORS: Final = "\u2028\u2029"
_SURROGATES: Final = "\ud800-\udfff"  # bytes that were no UTF-8, which a terminal may take for control characters
_HARMFUL: Final = re.compile(f"[{_CONTROLS}{_DIRECTIONS}{_SEPARATORS}{_SURROGATES}]")
_LEFT_OUT: Final = re.compile(r"\x1b\[[0-9;:]*m|\r(?=\n)")
_UNFINISHED: Final = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,60})?|\r)\Z")
"""The beginning of a colour or a line break, which the next piece of text may complete."""

_LONGEST_UNFINISHED: Final = 64
# The same characters in UTF-8, where they are found several times as fast. Output comes by the megabyte.
_ASCII_CONTROLS: Final = bytes(code for code in (*range(0x20), 0x7F) if chr(code) not in "\t\n")
_OTHERS_IN_UTF8: Final = tuple(
    re.compile(sequence)
    for sequence in (
        rb"\xc2[\x80-\x9f]",
        rb"\xd8\x9c",
        rb"\xe2(?:\x80[\x8e\x8f\xa8-\xae]|\x81[\xa6-\xa9])",
        rb"\xed[\xa0-\xbf]",
    )
)


def printable(text: str) -> str:
    """Replace harmful characters by readable escapes; a carriage return at a line's end is dropped."""
    if is_printable(text):
        return text
    text = _LEFT_OUT.sub("", text)
    return text if is_printable(text) else _HARMFUL.sub(_shown, text)


def is_printable(text: str) -> bool:
    """Return True for a text that can be shown unchanged."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data.translate(None, _ASCII_CONTROLS)) < len(data):
        return False
    return len(data) == len(text) or not any(sequence.search(data) for sequence in _OTHERS_IN_UTF8)


def print_line(text: str) -> None:
    """Write a line to standard output, filtered."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()  # a reader who is gone is noticed here


def print_error(text: str) -> None:
    """Write a line to standard error, filtered."""
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def json_text(document: object, *, indent: int | None = None) -> str:
    """Encode as JSON with harmful characters escaped, so that nothing is lost and a terminal can show it."""
    import json  # which completion has no time for

    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return text if is_printable(text) else _HARMFUL.sub(lambda found: json.dumps(found[0])[1:-1], text)


class PrintableStream:
    """The filter for a stream: its pieces may be cut anywhere, even inside a colour or a line break."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = ""

    def feed(self, text: str) -> str:
        """Take the next piece and return the text that can be shown by now."""
        text = self._held + text
        unfinished = _UNFINISHED.search(text, max(0, len(text) - _LONGEST_UNFINISHED))
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return printable(text[:end])

    def flush(self) -> str:
        """End the stream and return the text that was held back."""
        held, self._held = self._held, ""
        return printable(held)


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python carries a byte that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
