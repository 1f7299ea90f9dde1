"""Lists of names, written as a line of words."""

from __future__ import annotations


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())
