"""Suggests a name for one that is misspelled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_LONGEST: Final = 100
"""Characters of a name that is compared: the comparison takes the product of the lengths."""


def nearest(name: str, candidates: Iterable[str], *, likeness: float = 0.75) -> str | None:
    """Return the candidate that `name` most likely means, if any is near. Case and underscores do not count.

    `likeness` is how much of both names has to be the same, between 0 and 1.
    """
    if len(name) > _LONGEST:
        return None
    from difflib import get_close_matches

    folded = {_folded(each): each for each in candidates if len(each) <= _LONGEST and each != name}
    found = get_close_matches(_folded(name), folded, n=1, cutoff=likeness)
    return folded[found[0]] if found else None


def _folded(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()
