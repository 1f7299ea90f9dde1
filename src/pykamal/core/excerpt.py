"""Shortens long output that an error quotes as evidence."""

from __future__ import annotations

from typing import Final

EVIDENCE_CHARACTERS: Final = 1 << 20
"""The most characters of a program's output that an error shows."""


def excerpt(text: str, limit: int = EVIDENCE_CHARACTERS) -> str:
    """Return a text of at most `limit` characters unchanged; of a longer one a little of the beginning and the end."""
    if len(text) <= limit:
        return text
    first, last = text[: limit // 4], text[limit // 4 - limit :]
    return f"{first}{left_out_line(f'{len(text) - limit:,} characters')}{last}"


def left_out_line(how_much: str) -> str:
    """The line that replaces omitted output."""
    return f"\n… {how_much} left out …\n"
