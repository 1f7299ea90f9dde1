"""The rendered text of a template, with a map from its positions to those of the source."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pykamal.core.source import Position

if TYPE_CHECKING:
    from pykamal.erb.comments import Dropped


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of rendered text. `literal` text maps character by character, other text to its tag."""

    offset: int
    source_offset: int
    literal: bool


class Rendered:
    """A rendered template. `text` is the result; `position` maps its lines and columns to `source`.

    `dropped` are tags in comments that failed; `printed` is what the template printed with `puts`.
    """

    def __init__(
        self,
        file: str,
        source: str,
        text: str,
        pieces: list[Piece],
        *,
        dropped: tuple[Dropped, ...] = (),
        printed: str = "",
    ) -> None:
        self.file = file
        self.source = source
        self.text = text
        self.dropped = dropped
        self.printed = printed
        self._untouched = source == text
        self._pieces = pieces
        self._piece_offsets = [piece.offset for piece in pieces]
        self._line_starts = [] if self._untouched else _line_starts(text)
        self._source_line_starts = [] if self._untouched else _line_starts(source)

    @classmethod
    def untouched(cls, file: str, source: str) -> Rendered:
        return cls(file, source, source, [])

    def position(self, line: int, column: int) -> Position:
        """Return the source position of a rendered line and column, both counted from 0."""
        if self._untouched:
            return Position(self.file, line + 1, column + 1)
        offset = self._line_starts[min(line, len(self._line_starts) - 1)] + column
        piece = self._pieces[max(0, bisect_right(self._piece_offsets, offset) - 1)]
        source_offset = piece.source_offset + (offset - piece.offset if piece.literal else 0)
        source_line = bisect_right(self._source_line_starts, source_offset) - 1
        return Position(self.file, source_line + 1, source_offset - self._source_line_starts[source_line] + 1)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    end = text.find("\n")
    while end != -1:
        starts.append(end + 1)
        end = text.find("\n", end + 1)
    return starts
