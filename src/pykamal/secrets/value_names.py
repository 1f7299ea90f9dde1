"""The names under which adapters return values, and those by which people ask for them."""

from __future__ import annotations

from collections.abc import Iterable


def exact_names(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that are this one: as it is first, then with `#` for the last `/` or the other way round."""
    there = set(names)
    return [each for each in _spellings(name) if each in there]


def longer_names(name: str, names: Iterable[str]) -> list[str]:
    """Return the names that end in this one behind a `/` or a `#`, in their order."""
    endings = tuple(f"{sign}{spelling}" for spelling in _spellings(name) for sign in "/#")
    return [each for each in names if each.endswith(endings)]


def _spellings(name: str) -> list[str]:
    head, sign, tail = name.rpartition("/")
    return list(dict.fromkeys((name, name.replace("#", "/"), f"{head}#{tail}" if sign else name)))
