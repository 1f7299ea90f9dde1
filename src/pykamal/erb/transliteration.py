"""The methods of strings that take character sets (`tr`, `delete`, `squeeze`), and `succ`."""

from __future__ import annotations

from collections.abc import Callable

from pykamal.erb.conversions import a_text
from pykamal.erb.errors import RubyError


def character_set(*patterns: str) -> Callable[[str], bool]:
    """Return the test of a character set of `tr`, `delete`, `count` and `squeeze`: `a-z`, `^a-z`."""
    tests = [_one_set(a_text(pattern)) for pattern in patterns]
    return lambda character: all(test(character) for test in tests)


def _one_set(pattern: str) -> Callable[[str], bool]:
    negated = len(pattern) > 1 and pattern.startswith("^")
    singles, ranges = _members(pattern[1:] if negated else pattern)
    return lambda each: (each in singles or any(low <= each <= high for low, high in ranges)) is not negated


def _members(pattern: str) -> tuple[set[str], list[tuple[str, str]]]:
    singles: set[str] = set()
    ranges: list[tuple[str, str]] = []
    for low, high in _pieces(pattern):
        if low == high:
            singles.add(low)
        else:
            ranges.append((low, high))
    return singles, ranges


def _pieces(pattern: str) -> list[tuple[str, str]]:
    """Return the first and last character of each range; both are the same for a single character."""
    pieces: list[tuple[str, str]] = []
    index = 0
    while index < len(pattern):
        if pattern[index] == "\\" and index + 1 < len(pattern):
            pieces.append((pattern[index + 1], pattern[index + 1]))
            index += 2
        elif index + 2 < len(pattern) and pattern[index + 1] == "-":
            if pattern[index] > pattern[index + 2]:
                message = f'invalid range "{pattern[index : index + 3]}" in string transliteration'
                raise RubyError(message, "ArgumentError")
            pieces.append((pattern[index], pattern[index + 2]))
            index += 3
        else:
            pieces.append((pattern[index], pattern[index]))
            index += 1
    return pieces


def tr(receiver: str, old: str, new: str) -> str:
    targets = _pieces(a_text(new))
    if len(old) > 1 and old.startswith("^"):
        is_old = _one_set(old)
        instead = targets[-1][1] if targets else ""
        return "".join(instead if is_old(each) else each for each in receiver)
    sizes = [ord(high) - ord(low) + 1 for low, high in targets]
    sources = _pieces(a_text(old))

    def translated(character: str) -> str:
        place = 0
        for low, high in sources:
            if low <= character <= high:
                return _nth(targets, sizes, place + ord(character) - ord(low))
            place += ord(high) - ord(low) + 1
        return character

    table = {each: translated(each) for each in set(receiver)}
    return "".join(table[each] for each in receiver)


def _nth(pieces: list[tuple[str, str]], sizes: list[int], place: int) -> str:
    for (low, _), size in zip(pieces, sizes, strict=True):
        if place < size:
            return chr(ord(low) + place)
        place -= size
    return pieces[-1][1] if pieces else ""


def deleted(receiver: str, *patterns: str) -> str:
    inside = character_set(*patterns)
    return "".join(each for each in receiver if not inside(each))


def squeezed(receiver: str, *patterns: str) -> str:
    inside = character_set(*patterns) if patterns else lambda _: True
    kept = (
        each for index, each in enumerate(receiver) if index == 0 or each != receiver[index - 1] or not inside(each)
    )
    return "".join(kept)


def successor(value: str) -> str:
    """Return Ruby's `succ`: the last letter or digit is incremented, with a carry to the left."""
    places = [index for index, each in enumerate(value) if each.isascii() and each.isalnum()]
    if not places:
        return value[:-1] + chr(ord(value[-1]) + 1) if value else ""
    characters = list(value)
    for index in reversed(places):
        character = characters[index]
        follower = {"z": "a", "Z": "A", "9": "0"}.get(character)
        if follower is None:
            characters[index] = chr(ord(character) + 1)
            return "".join(characters)
        characters[index] = follower
    first = places[0]
    grown = "1" if characters[first] == "0" else characters[first]
    return "".join([*characters[:first], grown, *characters[first:]])
