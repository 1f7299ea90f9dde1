"""Splits a template at its tags, by ERB's trim modes; configuration files use `-` (spec/config.md 1.3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pykamal.erb.errors import TemplateError

_OPENING: Final = re.compile(r"<%%|<%#|<%=|<%-|<%")
_CLOSING: Final = {
    "": re.compile(r"%%>|%>"),
    "-": re.compile(r"%%>|-%>\r?\n|-%>|%>"),
    ">": re.compile(r"%%>|%>\r?\n|%>"),
}
"""The ends of tags, by trim mode."""

_INDENTATION: Final = re.compile(r"[ \t]*\Z")


class PartKind(Enum):
    TEXT = "text"
    OUTPUT = "output"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class Part:
    """A text or a tag. `offset` is where `text` starts in the source, `tag_offset` where its tag does."""

    kind: PartKind
    text: str
    offset: int
    tag_offset: int


def parts(source: str, trim_mode: str = "-") -> list[Part]:
    """Yield texts and tags in order. Raises TemplateError for a tag that never ends."""
    closing = _CLOSING[trim_mode]
    found: list[Part] = []
    offset = 0
    while match := _OPENING.search(source, offset):
        opening = match.group()
        if opening == "<%%":
            found.append(Part(PartKind.TEXT, source[offset : match.start()] + "<%", offset, offset))
            offset = match.end()
            continue
        text = source[offset : match.start()]
        if opening == "<%-" and trim_mode == "-":
            text = _without_indentation(text)
        if text:
            found.append(Part(PartKind.TEXT, text, offset, offset))
        code, end = _code(source, closing, match.end(), match.start())
        if opening != "<%#":
            kind = PartKind.OUTPUT if opening == "<%=" else PartKind.CODE
            found.append(Part(kind, code, match.end(), match.start()))
        offset = end
    if offset < len(source):
        found.append(Part(PartKind.TEXT, source[offset:], offset, offset))
    return found


def _without_indentation(text: str) -> str:
    """Strip blanks in front of `<%-`, where they start a line or follow another tag."""
    match = _INDENTATION.search(text)
    assert match is not None, "the pattern matches the empty text too"
    start = match.start()
    return text[:start] if start == 0 or text[start - 1] == "\n" else text


def _code(source: str, closing: re.Pattern[str], start: int, tag_offset: int) -> tuple[str, int]:
    """Return a tag's code and the start of the text behind it. `%%>` is an escaped `%>` and does not end the tag."""
    position = start
    while match := closing.search(source, position):
        if match.group() != "%%>":
            return source[start : match.start()].replace("%%>", "%>"), match.end()
        position = match.end()
    raise TemplateError("a tag is opened with <% and never closed with %>", tag_offset, label="SyntaxError")
