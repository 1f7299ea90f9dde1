"""Versions of Ruby gems (`Gem::Version`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from itertools import zip_longest
from typing import Final

_FORM: Final = re.compile(r"\s*([0-9]+(\.[0-9A-Za-z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?)?\s*")


@total_ordering
@dataclass(frozen=True, eq=False)
class GemVersion:
    """Dotted parts compare as numbers; a part with letters is a pre-release and sorts before every number."""

    parts: tuple[int | str, ...]

    @classmethod
    def parse(cls, text: str) -> GemVersion | None:
        """Parse a version, None for an invalid one; an empty text is version 0."""
        if not _FORM.fullmatch(text):
            return None
        runs = re.findall(r"[0-9]+|[a-zA-Z]+", text.strip().replace("-", ".pre."))
        return cls(tuple(int(run) if run.isdigit() else run for run in runs))

    @classmethod
    def of(cls, text: str) -> GemVersion:
        version = cls.parse(text)
        assert version is not None, text
        return version

    def _key(self, other: GemVersion) -> tuple[list[tuple[int, int | str]], list[tuple[int, int | str]]]:
        pairs = list(zip_longest(self.parts, other.parts, fillvalue=0))
        return [_rank(mine) for mine, _ in pairs], [_rank(theirs) for _, theirs in pairs]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GemVersion):
            return NotImplemented
        mine, theirs = self._key(other)
        return mine == theirs

    def __lt__(self, other: GemVersion) -> bool:
        mine, theirs = self._key(other)
        return mine < theirs

    def __hash__(self) -> int:
        significant = list(self.parts)
        while significant and significant[-1] == 0:
            significant.pop()
        return hash(tuple(significant))


def _rank(part: int | str) -> tuple[int, int | str]:
    return (1, part) if isinstance(part, int) else (0, part)
