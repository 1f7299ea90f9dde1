"""Handles tags on YAML comment lines: their failures are reported and do not end the rendering.

Ruby renders them like every other tag, and a file's comments are full of examples. Whether a line is a comment is known
for certain only once YAML was read, so a marker stands where the output was dropped: it must not be in the document.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final, TypeAlias

from pykamal.erb.errors import RubyError, RubyUnknown, TemplateError, Unsupported, unsupported
from pykamal.erb.system import CommandRefused
from pykamal.erb.tags import Part, PartKind

_COMMENT: Final = re.compile(r"(?:^|[ \t])#")
_MOST_DROPPED: Final = 100
_RUNS_NOTHING: Final = "This file is read without running anything of it: read the value from ENV[...] instead."

Failure: TypeAlias = RubyError | Unsupported | CommandRefused | TemplateError


@dataclass(frozen=True, slots=True)
class Dropped:
    """A tag without output. `marker` stands in its place. A `quiet` one needs no warning."""

    marker: str
    error: TemplateError
    quiet: bool


class Comments:
    """The tags of a template that may be in comments."""

    def __init__(self, source: str, parts: list[Part], *, forgiving: bool) -> None:
        self._forgiving = forgiving
        self.dropped: list[Dropped] = []
        self._source = source
        self._tags = [part for part in parts if part.kind is not PartKind.TEXT]
        self._offsets = [part.tag_offset for part in self._tags]

    def cover(self, offset: int) -> bool:
        """Return True where the tag around this offset stands behind a `#` of its line, and may fail."""
        tag = self.tag(offset) if self._forgiving else None
        if tag is None or len(self.dropped) >= _MOST_DROPPED:
            return False
        line = self._source.rfind("\n", 0, tag.tag_offset) + 1
        return _COMMENT.search(self._source[line : tag.tag_offset]) is not None

    def tag(self, offset: int) -> Part | None:
        """Return the tag around this offset."""
        index = bisect_right(self._offsets, offset) - 1
        return self._tags[index] if index >= 0 else None

    def drop(self, error: Failure, offset: int) -> str:
        """Record a failed tag and return the marker to insert in place of its output."""
        marker = f"\ue000{len(self.dropped)}\ue001"
        self.dropped.append(Dropped(marker, located(error, offset), isinstance(error, RubyUnknown)))
        return marker


def located(error: Failure, offset: int) -> TemplateError:
    """Return the error with its position."""
    match error:
        case TemplateError():
            return error
        case CommandRefused():
            return TemplateError(str(error), offset, label="CommandRefused", hint=_RUNS_NOTHING)
        case RubyError():
            return TemplateError(error.message, offset, label=error.label, hint=error.hint)
    return unsupported(error.what, offset, error.instead)
