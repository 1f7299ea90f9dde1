"""Positions in source files, and the lines that stand there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_WIDEST_QUOTE: Final = 160
_MAY_HOLD_A_SECRET: Final = re.compile(r"password|key_data|secret|token", re.IGNORECASE)

EVIDENCE_CHARACTERS: Final = 1 << 20
"""The most characters of a program's output that an error shows."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def quoted(lines: Sequence[str], position: Position) -> str | None:
    """The source line and, below it, a caret; None for a line that is not there or that may hold a secret."""
    if not 1 <= position.line <= len(lines):
        return None
    line = lines[position.line - 1].rstrip("\r")
    start = max(0, position.column - 1 - _WIDEST_QUOTE // 2) if len(line) > _WIDEST_QUOTE else 0
    shown = line[start : start + _WIDEST_QUOTE].replace("\t", " ")
    if _MAY_HOLD_A_SECRET.search(line, max(0, start - _WIDEST_QUOTE), start + _WIDEST_QUOTE):
        return None
    return f"{shown}\n{' ' * (position.column - 1 - start)}^"


def excerpt(text: str, limit: int = EVIDENCE_CHARACTERS) -> str:
    """Return a text of at most `limit` characters unchanged; of a longer one a little of the beginning and the end."""
    if len(text) <= limit:
        return text
    first, last = text[: limit // 4], text[limit // 4 - limit :]
    return f"{first}{left_out_line(f'{len(text) - limit:,} characters')}{last}"


def left_out_line(how_much: str) -> str:
    """The line that replaces omitted output."""
    return f"\n… {how_much} left out …\n"
