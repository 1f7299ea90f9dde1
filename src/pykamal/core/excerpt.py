"""Long output, shortened where it is only evidence."""

from __future__ import annotations

from typing import Final

EVIDENCE_CHARACTERS: Final = 1 << 20
"""How much of what a program printed an error shows."""


def excerpt(text: str, limit: int = EVIDENCE_CHARACTERS) -> str:
    """A text of at most `limit` characters as it is, of a longer one the beginning and, mostly, the end."""
    if len(text) <= limit:
        return text
    first, last = text[: limit // 4], text[limit // 4 - limit :]
    return f"{first}{left_out_line(f'{len(text) - limit:,} characters')}{last}"


def left_out_line(how_much: str) -> str:
    """What stands in place of output that is not shown."""
    return f"\n… {how_much} left out …\n"
